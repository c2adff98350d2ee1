// Drawing, scales and axes; nothing here knows of a campaign.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

// What is drawn and said goes through these alone: text is never read as markup.
function draw(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}
function say(parent, name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return parent.appendChild(made);
}
const three = (value) => (value === null ? "–" : String(Number(value.toPrecision(3))));
const known = (value) => value !== null && value !== undefined;

function ticks(low, high, number) {
  const rough = (high - low) / Math.max(number, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const found = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) {
    found.push(Number(tick.toPrecision(10)));
  }
  return found;
}

function decades(low, high) {
  const found = [];
  const every = Math.max(1, Math.ceil((high - low) / 6));
  for (let power = Math.ceil(low); power <= high; power += every) found.push(10 ** power);
  return found;
}

function label(value) {
  if (value !== 0 && Math.abs(value) < 0.01) {
    const [number, power] = value.toExponential(0).split("e");
    const raised = [...power].map((sign) => (sign === "-" ? "⁻" : sign === "+" ? "" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
    return `${number === "1" ? "" : `${number}·`}10${raised}`;
  }
  return String(Number(value.toPrecision(6)));
}

const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

function clear(plot) {
  plot.replaceChildren();
  const box = plot.getBoundingClientRect();
  plot.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
  return box;
}

function axisBelow(plot, x, values, left, right, y, title) {
  draw(plot, "path", { class: "axis", d: `M${left} ${y}H${right}` });
  for (const value of values) {
    draw(plot, "path", { class: "axis", d: `M${x(value)} ${y}v5` });
    draw(plot, "text", { x: x(value), y: y + 18, "text-anchor": "middle" }, label(value));
  }
  if (title) draw(plot, "text", { x: (left + right) / 2, y: y + 35, "text-anchor": "middle" }, title);
}

function axisBeside(plot, y, values, x, title, side) {
  const left = side === "left";
  for (const value of values) {
    draw(plot, "path", { class: "axis", d: `M${x} ${y(value)}h${left ? -5 : 5}` });
    const place = { x: x + (left ? -8 : 8), y: y(value) + 4, "text-anchor": left ? "end" : "start" };
    draw(plot, "text", place, label(value));
  }
  const middle = (y(values[0]) + y(values[values.length - 1])) / 2;
  const at = left ? x - 42 : x + 50;
  draw(plot, "text", { x: at, y: middle, "text-anchor": "middle", transform: `rotate(-90 ${at} ${middle})` }, title);
}

function lines(points) {
  let path = "";
  let pen = "M";
  for (const point of points) {
    if (point === null) {
      pen = "M";
    } else {
      path += `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
      pen = "L";
    }
  }
  return path;
}
