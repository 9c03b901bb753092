// The page: sources and clicks to the worker, masks and times to the reader.

import { isolated } from "./isolate.js";
import { LoopClient } from "./loop_client.js";
import { ObjectList } from "./object_list.js";
import { Results } from "./results.js";
import { openCamera, openFiles, openVideo, SourceError } from "./sources.js";
import { Stage } from "./stage.js";
import { Times } from "./times.js";

const MOST_POINTS = 8;
const MESSAGE_MS = 7000;
const EXAMPLE = "page/pictures/example.mp4";

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);
const hasMouse = matchMedia("(hover: hover)").matches;
const asked = new URLSearchParams(location.search);

const loop = new LoopClient();
const results = new Results();
const times = new Times(at("figures"), at("plot"));
const objects = new ObjectList(at("objects"), at("new"), { onRemove: remove, onSelect: explain });
const stage = new Stage(at("picture"), { onPoint, onBox }, (id) => objects.colourOf(id));

/** @type {any} what the worker said when it had opened the site */
let opened = null;
/** @type {import("./sources.js").Source | null} */
let source = null;
let isPlaying = false;
let isBusy = false;
let isEnded = false;
/** @type {Map<number, { frame: number, points: number[][], labels: number[], box: number[] | null }>} */
let given = new Map();
/** @type {{ id: number, at: number } | null} a click whose mask is waited for */
let clicked = null;
let messageTimer = 0;

/** @param {string} sentence */
function say(sentence) {
  at("message").textContent = sentence;
  at("message").hidden = !sentence;
  clearTimeout(messageTimer);
  if (sentence) messageTimer = setTimeout(() => say(""), MESSAGE_MS);
}

/** @param {string} text @param {string} name */
function status(text, name) {
  at("status").textContent = text;
  at("status").className = name;
}

function explain() {
  const isNew = !objects.known.includes(objects.selected);
  at("hint").textContent = !source ? "" : isNew
    ? "Click on an object in the picture, or drag a box around it."
    : `Click to correct object ${objects.selected}.${hasMouse ? " Shift or the right button: not part of it." : ""}`;
  at("play").disabled = !source || isEnded || isBusy && !isPlaying;
  at("play").textContent = isPlaying ? "Pause" : "Play";
  at("download").disabled = !results.records.size;
  if (!opened) return;
  if (!source) status("ready", "ready");
  else status(isEnded ? "ended" : isPlaying ? "following" : "paused", isPlaying ? "playing" : "paused");
}

// ---- the loop -------------------------------------------------------------------------------

/** Send the next frame and wait for what was found on it; false at the end. */
async function step() {
  const from = source;
  const taken = await from?.next().catch((error) => {
    if (from === source) throw error; // of a source that was closed, nobody wants to know
    return null;
  });
  if (from !== source) return false;
  if (!taken) {
    isEnded = true;
    isPlaying = false;
    return false;
  }
  return await loop.send("frame", taken, [taken.bitmap]) && from === source;
}

async function play() {
  if (isBusy || !source || !opened) return;
  isBusy = true;
  isPlaying = true;
  explain();
  try {
    while (isPlaying && await step());
  } catch (error) {
    failed(error);
  }
  isBusy = false;
  isPlaying = false;
  explain();
}

async function pause() {
  isPlaying = false;
  while (isBusy) await new Promise((resolve) => setTimeout(resolve, 5));
}

/**
 * Begin with another source.
 * @param {() => Promise<import("./sources.js").Source>} open
 */
async function begin(open) {
  if (!opened) return;
  say("");
  isPlaying = false;
  source?.close();
  source = null;
  await pause();
  try {
    const made = await open();
    loop.send("reset");
    results.clear();
    times.clear();
    stage.clear();
    objects.clear();
    given = new Map();
    isEnded = false;
    source = made;
    at("source").textContent = made.name;
    at("welcome").hidden = true;
    isBusy = true;
    await step();
    isBusy = false;
    explain();
    if (made.isLive) play();
  } catch (error) {
    isBusy = false;
    failed(error);
    explain();
  }
}

/** @param {unknown} error */
function failed(error) {
  say(error instanceof SourceError || error instanceof Error ? error.message : String(error));
}

loop.on("progress", ({ text, share }) => {
  if (!opened) status(`loading ${text}`, "loading");
  at("bar").style.setProperty("--share", share);
  at("bar").hidden = false;
});
loop.on("opened", (about) => {
  opened = about;
  at("bar").hidden = true;
  const where = about.onGpu.length ? `WebGPU (${about.onGpu.join(", ").replaceAll("_", " ")})` : "WebAssembly";
  at("device").textContent = `${where}, ${about.threads} thread${about.threads > 1 ? "s" : ""}; ${about.model}, ${about.precision}`;
  at("said").replaceChildren(...about.said.map((/** @type {string} */ line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
  at("size").replaceChildren(...about.rungs.map((/** @type {number} */ rung) => new Option(`${rung} px`, String(rung))));
  for (const name of ["example", "camera", "file", "size", "budget"]) at(name).disabled = false;
  explain();
});
loop.on("result", ({ record, picture }) => {
  stage.show(picture, record.index);
  results.add(record);
  objects.show(record, picture.width * picture.height);
  if (record.compute_ms !== null) times.add(record, budget());
  if (clicked && record.objects[clicked.id]) {
    times.first(performance.now() - clicked.at);
    clicked = null;
  }
  explain();
});
loop.on("refused", ({ sentence }) => say(sentence));
loop.on("failed", ({ sentence, order }) => {
  isPlaying = false;
  if (order === "open") status("cannot start", "broken");
  say(sentence);
  clearTimeout(messageTimer);
});

// ---- what is pointed at ---------------------------------------------------------------------

/**
 * @param {(before: { points: number[][], labels: number[], box: number[] | null }) => any} change
 */
function point(change) {
  const id = objects.selected, frame = stage.frame;
  const before = given.get(id)?.frame === frame ? given.get(id) : null;
  const now = { frame, points: [], labels: [], box: null, ...before, ...change(before ?? { points: [], labels: [], box: null }) };
  while (now.points.length + (now.box ? 2 : 0) > MOST_POINTS) {
    now.points.shift();
    now.labels.shift();
  }
  given.set(id, now);
  clicked = { id, at: performance.now() };
  loop.send("prompt", { index: frame, id, prompt: { points: now.points, labels: now.labels, box: now.box } });
}

/** @param {number} x @param {number} y @param {number} label */
function onPoint(x, y, label) {
  const id = objects.selected;
  if (label === 0 && !objects.known.includes(id)) {
    say("Click on the object first; then on what is not part of it.");
    return;
  }
  stage.mark({ id, frame: stage.frame, x, y, label });
  point(({ points, labels }) => ({ points: [...points, [x, y]], labels: [...labels, label] }));
}

/** @param {number[]} box */
function onBox(box) {
  stage.mark({ id: objects.selected, frame: stage.frame, box });
  point(() => ({ box }));
}

/** @param {number} id */
function remove(id) {
  given.delete(id);
  loop.send("remove", { id });
}

// ---- buttons --------------------------------------------------------------------------------

const budget = () => (at("budget").value ? Number(at("budget").value) : null);

async function pace() {
  const wasPlaying = isPlaying;
  await pause();
  at("size").disabled = budget() !== null;
  await loop.send("pace", { budget: budget(), rung: Number(at("size").value) });
  at("bar").hidden = true;
  if (wasPlaying) play();
}

/** @param {number} label */
function sayWhat(label) {
  stage.isBeside = label === 0;
  at("on").setAttribute("aria-pressed", String(label === 1));
  at("beside").setAttribute("aria-pressed", String(label === 0));
}

at("example").onclick = () => begin(() => openVideo(EXAMPLE, "example"));
at("camera").onclick = () => begin(openCamera);
at("file").onclick = () => at("chosen").click();
at("chosen").onchange = () => {
  const files = [...at("chosen").files];
  if (files.length) begin(() => openFiles(files));
  at("chosen").value = "";
};
at("play").onclick = () => (isPlaying ? pause() : play());
at("on").onclick = () => sayWhat(1);
at("beside").onclick = () => sayWhat(0);
at("size").onchange = pace;
at("budget").onchange = pace;
at("download").onclick = () => results.download({
  page: "sam2lite web", source: source?.name, model: opened.model, precision: opened.precision,
  threads: opened.threads, webgpu: opened.onGpu, budget_ms: budget(),
  width: at("picture").width, height: at("picture").height,
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length) begin(() => openFiles(files));
});

if (await isolated()) {
  loop.send("open", {
    device: asked.get("device") ?? "auto",
    threads: asked.has("threads") ? Number(asked.get("threads")) : null,
    budget: null, rung: null,
  });
}
