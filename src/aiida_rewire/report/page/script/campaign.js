// The numbers of the campaign, and what of it is looked at.

const data = JSON.parse(byId("data").textContent);
let bulk = null;

function stored() {
  // megabytes, of which nothing is needed for the first sight of the traces
  bulk = bulk || JSON.parse(byId("bulk").textContent);
  return bulk;
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}

const viewer = byId("viewer");
const chains = data.chains;
const chosen = { chain: 0, place: 0 };
const current = () => chains[chosen.chain];

function firstPlace(chain) {
  const place = chain.g.findIndex(known);
  return place < 0 ? 0 : place;
}

function timeOf(chain, place) {
  return known(chain.time[place]) ? chain.time[place] : chain.snapshot[place];
}
