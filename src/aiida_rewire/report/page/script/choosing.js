// The chain and the snapshot that are looked at, and how one comes to others.

function drawSpark(row) {
  const chain = chains[row.dataset.chain], cell = row.querySelector(".spark");
  if (!chain.g.some(known)) return;
  const button = say(cell, "button", "");
  button.type = "button";
  button.setAttribute("aria-label", `Show ${chain.name}`);
  const times = chain.g.map((_, place) => timeOf(chain, place));
  const x = scale(Math.min(...times), Math.max(...times), 0, 100), y = scale(0, Math.max(1.05, ...chain.g.filter(known)), 30, 0);
  const picture = draw(button, "svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
  draw(picture, "path", { d: curveOf(chain, x, y) });
  button.addEventListener("click", () => {
    choose(Number(row.dataset.chain));
    viewer.scrollIntoView({ block: "start" });
    byId("snapshot").focus({ preventScroll: true });
  });
}

function drawSparks() {
  const rows = document.querySelectorAll("#chains tbody tr");
  if (rows.length <= 60) {
    rows.forEach(drawSpark);
    return;
  }
  // those of a thousand chains are drawn when they come into view
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      drawSpark(entry.target);
    }
  }, { rootMargin: "200px" });
  for (const row of rows) watch.observe(row);
}

function choose(chain, place) {
  const another = chosen.chain !== chain || !frame.x;
  chosen.chain = chain;
  chosen.place = Math.max(0, Math.min(place === undefined ? firstPlace(current()) : place, current().g.length - 1));
  if (another) {
    byId("chain").value = chain;
    drawTrace();
    drawLegend();
    for (const row of document.querySelectorAll("#chains tbody tr")) {
      if (Number(row.dataset.chain) === chain) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
  show();
  remember();
}

function show() {
  drawCursor();
  describe();
  drawSpectrum();
  drawHistogram();
  showJunction();
}

let remembering = 0;
function remember() {
  // what is looked at stands in the address, so that a page that is loaded again shows it
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const chain = current();
    location.replace(`#${encodeURIComponent(chain.name)}/${chain.snapshot[chosen.place] ?? 0}`);
  }, 400);
}

function remembered() {
  const [name, snapshot] = location.hash.slice(1).split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return "";
    }
  });
  const chain = chains.findIndex((one) => one.name === name);
  if (chain < 0) return null;
  const place = chains[chain].snapshot.indexOf(Number(snapshot));
  return place < 0 ? [chain, undefined] : [chain, place];
}

function begin() {
  viewer.hidden = false;
  const select = byId("chain");
  chains.forEach((chain, number) => {
    const option = say(select, "option", chain.name);
    option.value = number;
  });
  select.addEventListener("change", () => choose(Number(select.value)));
  const slider = byId("snapshot");
  slider.addEventListener("input", () => choose(chosen.chain, Number(slider.value)));
  byId("trace").addEventListener("click", (event) => {
    const place = nearest(event);
    if (place >= 0) choose(chosen.chain, place);
  });
  for (const id of ["log", "others"]) {
    byId(id).addEventListener("change", () => {
      drawTrace();
      drawCursor();
    });
  }
  listenToCanvas();
  const begun = remembered() || [Math.max(0, chains.findIndex((chain) => chain.g.some(known))), undefined];
  choose(...begun);
  drawSparks();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    drawTrace();
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    sprites = null;
    drawJunction();
  });
}

if (viewer && chains.length) begin();
