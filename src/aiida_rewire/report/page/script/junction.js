// The atoms of a snapshot, turned by hand: balls sorted from back to front, in parallel projection.

const canvas = byId("atoms");
const START = { turn: [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], zoom: 1 };
const view = { turn: START.turn, zoom: 1, junction: null };
const SHADES = 6;
let sprites = null;

function rotated(turn, axis, angle) {
  // about an axis of the screen: 0 across, 1 upright
  const c = Math.cos(angle), s = Math.sin(angle);
  const by = axis ? [[c, 0, s], [0, 1, 0], [-s, 0, c]] : [[1, 0, 0], [0, c, -s], [0, s, c]];
  return by.map((row) => [0, 1, 2].map((column) => row[0] * turn[0][column] + row[1] * turn[1][column] + row[2] * turn[2][column]));
}
START.turn = rotated(rotated(START.turn, 1, -0.35), 0, 0.3);
view.turn = START.turn;

function junctionAt(chain, place) {
  const found = stored().chains[chain].atoms[place];
  if (!found) return null;
  const cell = stored().cells[found[0]];
  const shared = new Int16Array(bytes(cell.shared)), own = new Int16Array(bytes(found[1]));
  const atoms = [];
  for (const [numbers, isOwn] of [[shared, false], [own, true]]) {
    for (let at = 0; at < numbers.length; at += 3) {
      atoms.push({ r: [0, 1, 2].map((axis) => numbers[at + axis] * cell.grid), own: isOwn || !shared.length });
    }
  }
  const bonds = [];
  for (let one = 0; one < atoms.length; one++) {
    for (let other = 0; other < one; other++) {
      const [a, b] = [atoms[one].r, atoms[other].r];
      const square = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
      if (square <= data.bond_a ** 2) bonds.push([one, other]);
    }
  }
  return { atoms, bonds, cell: cell.cell, marked: shared.length > 0 };
}

function corners(cell) {
  const found = [];
  for (let corner = 0; corner < 8; corner++) {
    found.push([0, 1, 2].map((axis) => [0, 1, 2].reduce((sum, side) => sum + cell[side][axis] * ((corner >> side) & 1 ? 0.5 : -0.5), 0)));
  }
  return found;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function sprite(base, shade) {
  // a ball lit from above on the left; those behind fade into the ground
  const ball = document.createElement("canvas");
  ball.width = ball.height = 64;
  const pen = ball.getContext("2d");
  pen.beginPath();
  pen.arc(32, 32, 31, 0, 7);
  pen.fillStyle = base;
  pen.fill();
  const light = pen.createRadialGradient(22, 20, 2, 32, 32, 32);
  light.addColorStop(0, "rgba(255,255,255,0.75)");
  light.addColorStop(0.45, "rgba(255,255,255,0.05)");
  light.addColorStop(1, "rgba(0,0,0,0.5)");
  pen.fillStyle = light;
  pen.fill();
  pen.globalAlpha = 0.45 * (1 - shade);
  pen.fillStyle = colour("--card");
  pen.fill();
  return ball;
}

function makeSprites() {
  sprites = ["--atom-lead", "--atom"].map((name) =>
    Array.from({ length: SHADES }, (_, shade) => sprite(colour(name), shade / (SHADES - 1))),
  );
  sprites.bond = colour("--bond");
  sprites.box = colour("--box");
  sprites.text = colour("--faint");
}

function drawJunction() {
  const box = canvas.getBoundingClientRect(), dense = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * dense);
  canvas.height = Math.round(box.height * dense);
  const pen = canvas.getContext("2d");
  pen.scale(dense, dense);
  const junction = view.junction;
  if (!junction) return;
  if (!sprites) makeSprites();
  const edges = corners(junction.cell);
  const long = junction.cell[2][2] + 7;
  const wide = 6 + Math.max(...edges.map((corner) => Math.hypot(corner[0], corner[1]))) * 2;
  const unit = view.zoom * Math.min(box.width / long, box.height / wide);
  const seen = (r) => {
    const [across, up, near] = view.turn.map((row) => row[0] * r[0] + row[1] * r[1] + row[2] * r[2]);
    return { x: box.width / 2 + unit * across, y: box.height / 2 - unit * up, near };
  };
  const corner = edges.map(seen);
  pen.strokeStyle = sprites.box;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let one = 0; one < 8; one++) {
    for (const side of [1, 2, 4]) {
      if (one & side) continue;
      pen.moveTo(corner[one].x, corner[one].y);
      pen.lineTo(corner[one | side].x, corner[one | side].y);
    }
  }
  pen.stroke();
  const places = junction.atoms.map((atom) => seen(atom.r));
  const nears = places.map((place) => place.near);
  const back = Math.min(...nears), front = Math.max(...nears);
  const things = places.map((place, atom) => ({ near: place.near, atom }));
  for (const bond of junction.bonds) {
    things.push({ near: (nears[bond[0]] + nears[bond[1]]) / 2 - 0.01, bond });
  }
  things.sort((a, b) => a.near - b.near);
  pen.strokeStyle = sprites.bond;
  pen.lineWidth = Math.max(1, 0.25 * unit);
  const radius = 1.15 * unit;
  for (const thing of things) {
    if (thing.bond) {
      const [a, b] = thing.bond.map((atom) => places[atom]);
      pen.beginPath();
      pen.moveTo(a.x, a.y);
      pen.lineTo(b.x, b.y);
      pen.stroke();
    } else {
      const place = places[thing.atom];
      const shade = Math.round(((place.near - back) / (front - back || 1)) * (SHADES - 1));
      pen.drawImage(sprites[junction.atoms[thing.atom].own ? 1 : 0][shade], place.x - radius, place.y - radius, 2 * radius, 2 * radius);
    }
  }
  const bar = 5 * unit;
  pen.strokeStyle = pen.fillStyle = sprites.text;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(10, box.height - 10);
  pen.lineTo(10 + bar, box.height - 10);
  pen.stroke();
  pen.font = "12px system-ui, sans-serif";
  pen.fillText("5 Å", 10, box.height - 16);
}

function showJunction() {
  const chain = current();
  view.junction = chain.g.length ? junctionAt(chosen.chain, chosen.place) : null;
  const caption = byId("atoms-caption");
  canvas.setAttribute("data-atoms", view.junction ? view.junction.atoms.length : 0);
  if (view.junction) {
    const number = view.junction.atoms.length, own = view.junction.atoms.filter((atom) => atom.own).length;
    caption.textContent = view.junction.marked
      ? `${number} atoms, of which ${own} in the contact (blue); grey: flat layers that stand for the tips. The current flows along the long axis.`
      : `${number} atoms. The current flows along the long axis.`;
    canvas.setAttribute("aria-label", `Junction of ${chain.name} at ${three(timeOf(chain, chosen.place))} ps, ${number} atoms`);
  } else {
    const why = chain.missing[chosen.place] || (known(chain.g[chosen.place]) ? "this page does not have its atoms" : "not computed yet");
    caption.textContent = `No junction to be shown: ${why}.`;
    canvas.setAttribute("aria-label", caption.textContent);
  }
  drawJunction();
}

const TURNS = {
  left: () => (view.turn = rotated(view.turn, 1, -0.15)),
  right: () => (view.turn = rotated(view.turn, 1, 0.15)),
  up: () => (view.turn = rotated(view.turn, 0, -0.15)),
  down: () => (view.turn = rotated(view.turn, 0, 0.15)),
  nearer: () => (view.zoom = Math.min(8, view.zoom * 1.2)),
  farther: () => (view.zoom = Math.max(0.3, view.zoom / 1.2)),
  reset: () => Object.assign(view, { turn: START.turn, zoom: START.zoom }),
};
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", "+": "nearer", "=": "nearer", "-": "farther", 0: "reset" };

function turn(how) {
  TURNS[how]();
  drawJunction();
}

function listenToCanvas() {
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    view.turn = rotated(rotated(view.turn, 1, (event.clientX - held[0]) * 0.01), 0, (event.clientY - held[1]) * 0.01);
    held = [event.clientX, event.clientY];
    drawJunction();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (held = null));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
    event.preventDefault();
    turn(KEYS[event.key]);
  });
  for (const button of document.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => turn(button.dataset.turn));
  }
}
