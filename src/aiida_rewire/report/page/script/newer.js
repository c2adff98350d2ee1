// A page that is served asks again and again whether there is a newer one.

function watchForNewer() {
  const { version, refreshS } = document.documentElement.dataset;
  if (!version) return;
  let touched = 0;
  for (const name of ["pointerdown", "keydown"]) window.addEventListener(name, () => (touched = Date.now()));
  setInterval(async () => {
    let answer;
    try {
      const asked = await fetch("version", { cache: "no-store" });
      answer = asked.ok ? await asked.text() : null;
    } catch {
      answer = null;
    }
    const now = new Date().toLocaleTimeString();
    if (answer === null) byId("looked").textContent = "; whoever served this page has stopped";
    else if (answer === version) byId("looked").textContent = `; nothing new at ${now}`;
    // nobody wants to lose the page under their hands
    else if (Date.now() - touched > 5000) location.reload();
    else byId("looked").textContent = "; there is news, shown when you pause";
  }, Math.max(1, Number(refreshS)) * 1000);
}

watchForNewer();
