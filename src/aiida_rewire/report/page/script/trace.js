// The trace of a chain: conductances, stages and bonds against time.

const SHAPES = [
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`,
  (r) => `M${-r} ${-r}H${r}V${r}H${-r}Z`,
  (r) => `M0 ${-1.2 * r}L${1.15 * r} ${r}H${-1.15 * r}Z`,
  (r) => `M0 ${-1.35 * r}L${1.35 * r} 0L0 ${1.35 * r}L${-1.35 * r} 0Z`,
];
const shapeOf = (stage, r) => (SHAPES[stage] || SHAPES[0])(r);
const classOf = (stage) => (stage >= 0 && stage < 4 ? `stage-${stage}` : "stage-other");
const CROSS = "M-4 -4L4 4M-4 4L4 -4";
const frame = {};

function drawTrace() {
  const plot = byId("trace");
  const box = clear(plot);
  const chain = current();
  const logarithmic = byId("log").checked;
  const among = byId("others").checked ? chains : [chain];
  const left = 54, right = box.width - 64, top = 12, bottom = box.height - 44;
  const middle = top + (bottom - top) * 0.7;
  let last = 0, first = Infinity, highest = 1.05, lowest = 1;
  for (const one of among) {
    for (let place = 0; place < one.g.length; place++) {
      const time = timeOf(one, place);
      last = Math.max(last, time);
      first = Math.min(first, time);
      const g = one.g[place];
      if (known(g)) {
        highest = Math.max(highest, g);
        if (g > 0) lowest = Math.min(lowest, g);
      }
    }
  }
  if (!(last > first)) [first, last] = [Math.min(first, last) - 0.5, last + 0.5];
  const spare = (last - first) * 0.015;
  const x = scale(first - spare, last + spare, left, right);
  const low = Math.max(Math.floor(Math.log10(lowest)), -8), high = Math.log10(highest * 1.3);
  const straight = scale(0, highest * 1.08, middle, top);
  const bent = scale(low, high, middle, top);
  const y = logarithmic ? (g) => bent(Math.log10(Math.max(g, 10 ** low))) : straight;
  const marks = logarithmic ? decades(low, high) : ticks(0, highest * 1.08, 5);
  axisBeside(plot, y, marks, left, "G (G₀)", "left");
  const unit = data.microsiemens;
  const micro = logarithmic ? decades(low + Math.log10(unit), high + Math.log10(unit)) : ticks(0, highest * 1.08 * unit, 5);
  axisBeside(plot, (value) => y(value / unit), micro, right, "G (µS)", "right");
  draw(plot, "path", { class: "axis", d: `M${left} ${top}V${bottom}M${right} ${top}V${bottom}M${left} ${middle}H${right}` });
  if (1 < highest * 1.08) draw(plot, "path", { class: "grid", d: `M${left} ${y(1)}H${right}` });
  axisBelow(plot, x, ticks(first, last, Math.min(8, box.width / 80)), left, right, bottom, "time since the voltage was switched on (ps)");

  for (const one of among) {
    if (one !== chain) draw(plot, "path", { class: "other", d: curveOf(one, x, y) });
  }
  draw(plot, "path", { class: "curve", d: curveOf(chain, x, y) });
  const size = Math.min(4.5, Math.max(2.2, (right - left) / chain.g.length / 1.6));
  for (let place = 0; place < chain.g.length; place++) {
    const g = chain.g[place];
    const at = x(timeOf(chain, place));
    if (known(g)) {
      const reused = chain.reused[place] ? " reused" : "";
      const mark = { class: `mark ${classOf(chain.stage[place])}${reused}`, d: shapeOf(chain.stage[place], size) };
      draw(plot, "path", { ...mark, transform: `translate(${at.toFixed(1)} ${y(g).toFixed(1)})` });
    } else if (chain.missing[place]) {
      draw(plot, "path", { class: "missing", d: CROSS, transform: `translate(${at.toFixed(1)} ${middle - 7})` });
    }
  }
  drawBonds(plot, chain, x, middle + 10, bottom, left, right);
  frame.cursor = draw(plot, "g", {});
  Object.assign(frame, { x, y, top, middle, bottom });
}

function curveOf(chain, x, y) {
  return lines(chain.g.map((g, place) => (known(g) ? [x(timeOf(chain, place)), y(g)] : null)));
}

function drawBonds(plot, chain, x, top, bottom, left, right) {
  // a band of the stages, and the bonds below it
  for (let place = 0; place < chain.g.length; place++) {
    if (chain.stage[place] < 0) continue;
    const at = x(timeOf(chain, place));
    const before = place ? x(timeOf(chain, place - 1)) : at - 3;
    const after = place + 1 < chain.g.length ? x(timeOf(chain, place + 1)) : at + 3;
    const from = Math.max(left, (at + before) / 2), to = Math.min(right, (at + after) / 2);
    draw(plot, "rect", { class: classOf(chain.stage[place]), x: from, y: top - 8, width: Math.max(0.5, to - from), height: 5 });
  }
  const most = Math.max(1, ...chain.bonds.filter(known));
  const y = scale(0, most * 1.1, bottom, top);
  axisBeside(plot, y, ticks(0, most, 3).filter(Number.isInteger), left, "bonds", "left");
  let path = "", pen = "M";
  for (let place = 0; place < chain.bonds.length; place++) {
    if (!known(chain.bonds[place])) {
      pen = "M";
      continue;
    }
    const at = x(timeOf(chain, place));
    const before = place ? (at + x(timeOf(chain, place - 1))) / 2 : at;
    const after = place + 1 < chain.bonds.length ? (at + x(timeOf(chain, place + 1))) / 2 : at;
    path += `${pen}${before.toFixed(1)} ${y(chain.bonds[place]).toFixed(1)}H${after.toFixed(1)}`;
    pen = "L";
  }
  draw(plot, "path", { class: "curve", d: path });
}

function drawCursor() {
  if (!frame.cursor) return;
  frame.cursor.replaceChildren();
  const chain = current();
  if (!chain.g.length) return;
  const at = frame.x(timeOf(chain, chosen.place));
  draw(frame.cursor, "path", { class: "cursor", d: `M${at} ${frame.top}V${frame.bottom}` });
  const g = chain.g[chosen.place];
  const y = known(g) ? frame.y(g) : frame.middle - 7;
  draw(frame.cursor, "circle", { class: "ring", cx: at, cy: y, r: 8 });
}

function nearest(event) {
  const box = byId("trace").getBoundingClientRect();
  const chain = current();
  let best = -1, least = Infinity;
  for (let place = 0; place < chain.g.length; place++) {
    const across = frame.x(timeOf(chain, place)) - (event.clientX - box.left);
    const g = chain.g[place];
    const along = (known(g) ? frame.y(g) : frame.middle - 7) - (event.clientY - box.top);
    // where points lie close together the height decides, elsewhere the time
    const distance = across * across + 0.04 * along * along;
    if (distance < least) [best, least] = [place, distance];
  }
  return best;
}

function drawLegend() {
  const legend = byId("legend");
  legend.replaceChildren();
  const chain = current();
  const entry = (text, name, shape) => {
    const item = say(legend, "span", "");
    draw(draw(item, "svg", { viewBox: "-7 -7 14 14", "aria-hidden": "true" }), "path", { class: name, d: shape });
    item.append(text);
  };
  for (const stage of [...new Set(chain.stage)].filter((one) => one >= 0).sort((a, b) => a - b)) {
    entry(data.stages[stage], `mark ${classOf(stage)}`, shapeOf(stage, 4.5));
  }
  if (Object.keys(chain.reused).length) say(legend, "span", "hollow: taken over from an equal contact");
  if (Object.keys(chain.missing).length) entry("no conductance", "missing", CROSS);
}
