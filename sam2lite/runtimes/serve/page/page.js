// What the page does with the server's stream, and what it asks of the server.

import { PictureView } from "/picture.js";
import { Plot } from "/plot.js";
import { ask, watch } from "/stream.js";

const at = (id) => document.getElementById(id);
const MESSAGE_MS = 6000;

let facts, view, plot;
let selected = 1;
let known = []; // ids of the objects that are followed
let state = null;
let given = {}; // by object: what was pointed at on one frame, which a click on the same frame adds to
let messageTimer;
let gap = true; // whether what is plotted next does not follow what was plotted last

/** The colour that the server chose against the picture; white until the object was seen. */
const colourOf = (id) => state?.colours?.[id] ?? "#ffffff";

function say(sentence) {
  at("message").textContent = sentence;
  at("message").hidden = !sentence;
  clearTimeout(messageTimer);
  if (sentence) messageTimer = setTimeout(() => say(""), MESSAGE_MS);
}

async function attempt(path, body) {
  try {
    const answer = await ask(path, body);
    say("");
    return answer;
  } catch (error) {
    say(error instanceof TypeError ? "the server does not answer" : error.message);
    return null;
  }
}

/** Give a prompt: all that was pointed at of this object on this frame. */
async function point(object, frame, change) {
  const before = given[object]?.frame === frame ? given[object] : { frame, points: [], labels: [], box: null };
  const now = change(before);
  while (now.points.length + (now.box ? 2 : 0) > facts.most_points) {
    now.points.shift();
    now.labels.shift();
  }
  const body = { object, frame, points: now.points, labels: now.labels };
  if (now.box) body.box = now.box;
  const answer = await attempt("/prompt", body);
  if (answer) given[object] = now;
}

const handlers = {
  object: () => selected,
  onPoint({ frame, object, x, y, label }) {
    if (label === 0 && !known.includes(object)) {
      say("Point at the object first; then at what is not part of it.");
      return;
    }
    view.mark({ frame, object, x, y, label });
    point(object, frame, (before) => ({
      ...before, points: [...before.points, [x, y]], labels: [...before.labels, label],
    }));
  },
  onBox({ frame, object, box }) {
    view.mark({ frame, object, box });
    point(object, frame, (before) => ({ ...before, box }));
  },
};

async function remove(object) {
  if (!await attempt("/remove", { object })) return;
  delete given[object];
  if (selected === object) selected = known.find((id) => id !== object) ?? object;
}

function addObject() {
  let id = 1;
  while (known.includes(id)) id++;
  if (known.length >= facts.most_objects) {
    say(`${facts.most_objects} objects at a time is the limit; remove one first.`);
    return;
  }
  selected = id;
  showObjects();
}

function togglePause() {
  if (state && !state.ended) attempt("/pause", { paused: !state.paused });
}

/** Show the objects; rows that are there stay, so that none is gone between press and release. */
function showObjects() {
  const found = view.about?.record.objects ?? {};
  const ids = known.includes(selected) ? known : [...known, selected];
  const list = at("objects");
  for (const row of [...list.children]) if (!ids.includes(Number(row.dataset.id))) row.remove();
  for (const id of ids) {
    let row = [...list.children].find((each) => Number(each.dataset.id) === id) ?? newRow(id, list);
    const object = found[id];
    let how = "click on it in the picture";
    let name = "";
    if (object?.lost) [how, name] = ["lost: the network gave no number", "lost"];
    else if (object && !object.visible) {
      const frames = view.about.state.hidden[id];
      [how, name] = [`out of sight for ${frames} frame${frames === 1 ? "" : "s"}; click to find it`, "hidden"];
    } else if (object) how = `visible, ${(100 * view.share(id)).toFixed(1)}% of the picture`;
    row.className = `${name} ${id === selected ? "selected" : ""}`;
    row.querySelector(".how").textContent = how;
    row.querySelector("circle").setAttribute("fill", colourOf(id));
    row.querySelector(".pick").setAttribute("aria-pressed", id === selected);
    row.querySelector(".remove").hidden = !object;
  }
  at("new").disabled = !known.includes(selected);
  const mouse = matchMedia("(hover: hover)").matches ? " Shift or the right button: not part of it." : "";
  at("hint").textContent = known.includes(selected)
    ? `Click to correct object ${selected}, or drag a box around it.${mouse}`
    : `Click on object ${selected}, or drag a box around it.`;
}

function newRow(id, list) {
  const row = document.createElement("li");
  row.dataset.id = id;
  const pick = document.createElement("button");
  pick.type = "button";
  pick.className = "pick";
  // A style attribute would be against the page's own policy.
  const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  swatch.setAttribute("viewBox", "0 0 16 16");
  swatch.setAttribute("class", "swatch");
  const disc = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [key, value] of [["cx", 8], ["cy", 8], ["r", 7]]) disc.setAttribute(key, value);
  swatch.append(disc);
  const name = document.createElement("span");
  name.textContent = `Object ${id}`;
  const how = document.createElement("span");
  how.className = "how";
  pick.append(swatch, name, how);
  pick.addEventListener("click", () => { selected = id; showObjects(); });
  const away = document.createElement("button");
  away.type = "button";
  away.className = "remove";
  away.textContent = "\u2715";
  away.setAttribute("aria-label", `Remove object ${id}`);
  away.addEventListener("click", () => remove(id));
  row.append(pick, away);
  const after = [...list.children].find((each) => Number(each.dataset.id) > id);
  list.insertBefore(row, after ?? null);
  return row;
}

function showState() {
  const how = state.ended ? ["the video has ended", "paused"] : state.paused ? ["paused", "paused"] : ["playing", "playing"];
  at("status").textContent = how[0];
  at("status").className = how[1];
  at("pause").disabled = state.ended;
  at("pause").textContent = state.paused ? "Play" : "Pause";
  at("start").hidden = !(state.paused && state.frames === 0);
}

const ms = (value) => (Number.isFinite(value) ? `${value.toFixed(value < 100 ? 1 : 0)} ms` : "\u2013");

function showTiming(record) {
  at("compute").textContent = facts.simulated ? "simulated" : ms(record.compute_ms);
  at("age").textContent = state.paused || state.ended ? "\u2013" : ms(record.latency_ms);
  at("size").textContent = `${record.rung} px`;
  const kilobytes = state.result_bytes / 1000;
  const parts = [`frame ${record.index}`];
  if (state.fps) parts.push(`${state.fps} frames/s`);
  if (facts.live) parts.push(`${state.dropped} dropped`);
  parts.push(`results ${kilobytes < 1000 ? `${kilobytes.toFixed(0)} kB` : `${(kilobytes / 1000).toFixed(1)} MB`}`);
  at("counts").textContent = parts.join(" \u00b7 ");
}

function onPicture(about, bitmap) {
  if (!about) return;
  state = about.state;
  known = Object.keys(about.record.objects).map(Number).sort((a, b) => a - b);
  view.show(about, bitmap);
  showState();
  showObjects();
  showTiming(about.record);
  if (state.paused || state.ended) gap = true;
  else {
    const { capture_ms, compute_ms, latency_ms, rung } = about.record;
    plot.add({ s: capture_ms / 1000, compute: compute_ms, age: latency_ms, size: rung, gap });
    gap = false;
  }
}

function onLost(sentence) {
  gap = true;
  at("status").textContent = sentence;
  at("status").className = "broken";
  at("pause").disabled = true;
}

function chooseLabel(beside) {
  view.beside = beside;
  at("on").setAttribute("aria-pressed", String(!beside));
  at("beside").setAttribute("aria-pressed", String(beside));
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target.closest?.("button, a");
  if (event.key === " " && !onButton) togglePause();
  else if (event.key === "n") addObject();
  else if (event.key === "x") chooseLabel(!view.beside);
  else if (event.key === "Delete" && known.includes(selected)) remove(selected);
  else if (/^[1-9]$/.test(event.key) && known.includes(Number(event.key))) selected = Number(event.key);
  else return;
  event.preventDefault();
  showObjects();
}

async function begin() {
  // The token came in the address once; the browser keeps it, and nobody reads it over a shoulder.
  if (location.search) history.replaceState(null, "", location.pathname);
  for (;;) {
    try {
      const response = await fetch("/state");
      facts = await response.json();
      if (!response.ok) throw new Error(facts.error);
      break;
    } catch (error) {
      onLost(error instanceof TypeError ? "the server does not answer" : error.message);
      await new Promise((go) => setTimeout(go, 2000));
    }
  }
  const size = `${facts.width}\u00d7${facts.height}`;
  const model = facts.trained ? facts.model : `${facts.model} (untrained: its masks mean nothing)`;
  at("video").textContent = `${facts.video} \u00b7 ${size} \u00b7 ${model}, ${facts.precision}`;
  at("budget").textContent = facts.budget_ms ? ms(facts.budget_ms) : "none";
  view = new PictureView(at("picture"), facts, colourOf, handlers);
  plot = new Plot(at("plot"), facts);
  known = Object.keys(facts.objects ?? {}).map(Number);
  at("pause").addEventListener("click", togglePause);
  at("start").addEventListener("click", togglePause);
  at("on").addEventListener("click", () => chooseLabel(false));
  at("beside").addEventListener("click", () => chooseLabel(true));
  at("new").addEventListener("click", addObject);
  document.addEventListener("keydown", onKey);
  showObjects();
  watch(onPicture, onLost);
}

begin();
