// The page's loop over a recorded run, its graphs played back: node replay.mjs SITE RECORDING
//
// What each graph is given must be what the Python loop gave it. Prints what every step gave.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [site, recording] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(resolve(site, "page/loop", name)).href);
const read = (name) => readFileSync(resolve(recording, name));

const { Segmenter } = await load("segmenter.js");
const { Rules } = await load("rules/sam2lite/rules.js");
const { encodeRle } = await load("rle.js");
const manifest = JSON.parse(read("manifest.json"));
const run = JSON.parse(read("run.json"));
const content = Uint8Array.from(read("arrays.bin")).buffer;
const frames = read("frames.bin");
const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };
const META_MOTION = 1, META_COLUMNS = 5;

function tensorOf({ type, dims, at }) {
  const count = dims.reduce((a, b) => a * b, 1);
  return { type, dims, data: new TYPES[type](content, at, count) };
}

function check(call, name, given) {
  const expected = tensorOf(call.inputs[name]);
  assert.deepEqual([...given.dims], expected.dims, `${call.name}: shape of ${name}`);
  assert.equal(given.type, expected.type, `${call.name}: type of ${name}`);
  const most = given.type === "uint8" ? 1 : given.type === "int32" ? 0 : 1e-3;
  expected.data.forEach((value, i) => {
    // Motion is left out: under `anchor-fifo` it decides nothing but the order of slots.
    if (name === "candidate_meta_bnc" && i % META_COLUMNS === META_MOTION) return;
    const off = Math.abs(value - given.data[i]);
    assert.ok(off <= most * Math.max(1, Math.abs(value)), `${call.name}: ${name}[${i}] is ${given.data[i]}, not ${value}`);
  });
}

let next = 0;
const graphs = {
  async run(name, rung, feeds) {
    // A frame that is past is encoded again by Python, and was kept here.
    if (run.calls[next].name === "image_encoder" && name !== "image_encoder") next++;
    const call = run.calls[next++];
    assert.deepEqual([name, rung], [call.name, call.rung], `call ${next}`);
    assert.deepEqual(Object.keys(feeds).sort(), Object.keys(call.inputs).sort(), name);
    for (const [key, each] of Object.entries(feeds)) check(call, key, each);
    return Object.fromEntries(Object.entries(call.outputs).map(([key, each]) => [key, tensorOf(each)]));
  },
};

const { width, height } = run;
const segmenter = new Segmenter(manifest, new Rules(manifest), graphs);
const told = [];
for (const step of run.steps) {
  const bytes = 4 * width * height;
  if (step.do === "remove") segmenter.remove(step.id);
  const result = step.do === "track"
    ? await segmenter.track({ data: frames.subarray(step.frame * bytes, (step.frame + 1) * bytes), width, height })
    : step.do === "prompt" ? await segmenter.prompt(step.frame, step.id, step) : { objects: new Map() };
  told.push(Object.fromEntries([...result.objects].map(([id, { visible, lost, iou, score, mask }]) => (
    [id, { visible, lost, iou, score, rle: encodeRle(mask, width, height) }]))));
}
assert.equal(next, run.calls.length, "graph calls");
process.stdout.write(JSON.stringify(told));
