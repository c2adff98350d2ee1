// One snapshot in words, its T(E), and where it stands in the histogram.

function describe() {
  const chain = current(), place = chosen.place, g = chain.g[place];
  const when = known(chain.time[place]) ? `${three(chain.time[place])} ps` : `snapshot ${chain.snapshot[place]}`;
  const value = known(g) ? `G = ${g.toPrecision(4)} G₀` : chain.missing[place] ? "no conductance" : "not computed yet";
  byId("summary").textContent = chain.g.length ? `${chain.name}, ${when}: ${value}` : `${chain.name}: no snapshot yet`;
  const slider = byId("snapshot");
  slider.max = Math.max(chain.g.length - 1, 0);
  slider.disabled = chain.g.length < 2;
  slider.value = place;
  slider.setAttribute("aria-valuetext", chain.g.length ? `${when}, ${value}` : "none");
  const list = byId("point");
  list.replaceChildren();
  if (!chain.g.length) return;
  const row = (name, text) => {
    if (text === "" || text === null || text === undefined) return;
    say(list, "dt", name);
    say(list, "dd", text);
  };
  row("snapshot", `${chain.snapshot[place]} of ${chain.name}`);
  row("time", known(chain.time[place]) ? `${chain.time[place]} ps` : "");
  row("step", known(chain.step[place]) ? String(chain.step[place]) : "");
  row("bias", known(chain.volts[place]) ? `${three(chain.volts[place])} V` : chain.voltage);
  row("stage", chain.stage[place] < 0 ? "" : data.stages[chain.stage[place]]);
  row("bonds", known(chain.bonds[place]) ? String(chain.bonds[place]) : "");
  row("gap left", known(chain.gap[place]) && chain.gap[place] > 0 ? `${three(chain.gap[place])} Å` : "");
  if (known(g)) {
    row("conductance", `${g.toPrecision(5)} G₀ = ${three(g * data.microsiemens)} µS`);
    const broken = chain.unitarity[place];
    const kept = broken === 0 ? "kept to all digits that pwcond.x prints" : broken && `broken by ${broken.toExponential(1)} at most`;
    row("unitarity", kept);
    row("potential", known(chain.mismatch[place]) ? `lead and junction differ by ${three(chain.mismatch[place])} eV` : "");
    row("UUID", chain.uuid[place]);
    row("taken over from", chain.reused[place]);
  } else {
    row("conductance", chain.missing[place] || "not computed yet");
  }
}

function drawSpectrum() {
  const plot = byId("spectrum"), caption = byId("spectrum-caption");
  const box = clear(plot);
  const chain = current();
  const found = stored().chains[chosen.chain].spectra[chosen.place];
  const g = chain.g[chosen.place];
  plot.setAttribute("data-energies", found ? stored().energies[found[0]].length : 0);
  if (!found && !known(g)) {
    caption.textContent = chain.missing[chosen.place] || "not computed yet";
    return;
  }
  const energies = found ? stored().energies[found[0]] : [0];
  const transmission = found ? [...new Float32Array(bytes(found[1]))] : [g];
  const left = 54, right = box.width - 14, top = 12, bottom = box.height - 44;
  let low = Math.min(...energies), high = Math.max(...energies);
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const x = scale(low, high, left, right);
  const most = Math.max(1.05, ...transmission) * 1.08;
  const y = scale(0, most, bottom, top);
  axisBelow(plot, x, ticks(low, high, Math.min(7, box.width / 70)), left, right, bottom, "energy from the Fermi level (eV)");
  axisBeside(plot, y, ticks(0, most, 5), left, "T per spin", "left");
  draw(plot, "path", { class: "axis", d: `M${left} ${top}V${bottom}` });
  if (low <= 0 && high >= 0) draw(plot, "path", { class: "grid", d: `M${x(0)} ${top}V${bottom}` });
  draw(plot, "path", { class: "curve", d: lines(energies.map((energy, one) => [x(energy), y(transmission[one])])) });
  if (known(g)) draw(plot, "circle", { class: "ring", cx: x(0), cy: y(g), r: 5 });
  caption.textContent =
    energies.length > 1
      ? `${energies.length} energies from ${label(low)} to ${label(high)} eV; the ring is at the Fermi level`
      : "T at the Fermi level is all that this page has of this snapshot.";
}

function drawHistogram() {
  const plot = byId("histogram");
  const box = clear(plot);
  const edges = data.edges, bins = edges.length - 1, chain = current();
  if (bins < 1) return;
  const sums = Array(bins).fill(0);
  for (const one of chains) one.counts.forEach((count, bin) => (sums[bin] += count));
  const left = 54, right = box.width - 14, top = 12, bottom = box.height - 44;
  const most = Math.max(...sums, 1);
  const x = scale(edges[0], edges[bins], left, right), y = scale(0, most * 1.05, bottom, top);
  axisBelow(plot, x, ticks(edges[0], edges[bins], Math.min(8, box.width / 60)), left, right, bottom, "G (G₀)");
  axisBeside(plot, y, ticks(0, most, 4).filter(Number.isInteger), left, "conductances", "left");
  draw(plot, "path", { class: "axis", d: `M${left} ${top}V${bottom}` });
  const bars = (counts, name) => {
    let path = "";
    counts.forEach((count, bin) => {
      if (count) path += `M${x(edges[bin]).toFixed(1)} ${bottom}V${y(count).toFixed(1)}H${Math.max(x(edges[bin]) + 1, x(edges[bin + 1]) - 0.6).toFixed(1)}V${bottom}Z`;
    });
    draw(plot, "path", { class: name, d: path });
  };
  bars(sums, "bar");
  if (chain.counts.length) bars(chain.counts, "own");
  const g = chain.g[chosen.place];
  if (known(g) && g <= edges[bins]) draw(plot, "path", { class: "cursor", d: `M${x(g)} ${top}V${bottom}` });
  const all = sums.reduce((a, b) => a + b, 0), own = chain.counts.reduce((a, b) => a + b, 0);
  byId("histogram-caption").textContent =
    `${all} conductances of the campaign, ${own} of ${chain.name} (dark); bins of ${label(edges[1] - edges[0])} G₀`;
}
