// Holds the page's loop against what the Python loop gave: node traces.mjs SITE TRACES

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [site, traces] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(resolve(site, "page/loop", name)).href);
const read = (name) => JSON.parse(readFileSync(resolve(traces, `${name}.json`), "utf8"));

function near(given, expected, what) {
  assert.equal(given.length, expected.length, what);
  expected.forEach((value, i) => assert.ok(Math.abs(given[i] - value) < 3e-5, `${what}[${i}]: ${given[i]}, not ${value}`));
}

const { FrameController } = await load("controller/controller.js");
for (const { budget_ms: budget, window_saves_time: saves, frames } of read("controller")) {
  const controller = new FrameController(budget, [240, 288, 336, 384, 432, 480], saves ? [2, 3, 4, 5, 6, 7, 8] : []);
  frames.forEach(([latency, rung, window, status], i) => {
    controller.observe(latency);
    assert.deepEqual(controller.state, { rung, window, status }, `controller, frame ${i}`);
  });
}

const { promptInputs } = await load("prompts.js");
for (const each of read("prompts")) {
  const inputs = promptInputs(each, ...each.size);
  near(inputs.prompt_xy_norm_bpc.data, each.xy_norm, "clicks");
  assert.deepEqual([...inputs.prompt_label_bp.data], each.slot_labels);
  near(inputs.prompt_bias_b11p.data, each.bias, "bias of slots");
}

const { MemoryBank } = await load("rules/sam2lite/memory_bank.js");
const AGE = 0, MOTION = 1, COLUMNS = 5;
for (const { slots, window_max: most, steps } of read("bank")) {
  const bank = new MemoryBank(slots, most);
  for (const step of steps) {
    for (let i = 0; i < step.ticks; i++) bank.tick();
    if (step.forgets) bank.forgetLast();
    const { age, bias } = bank.view(step.window ?? Infinity);
    near(age, step.view_age, "ages seen");
    near(bias, step.view_bias, "bias of slots");
    const meta = bank.candidates(new Array(32).fill(step.uncertainty), step.anchor);
    const column = (index) => [...meta].filter((_, at) => at % COLUMNS === index);
    assert.deepEqual(column(4), step.meta_valid, "candidates that are valid");
    [AGE, 2, 3, 4].forEach((index) => {
      const sum = column(index).reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(sum - step.meta_sums[index]) < 1e-3, `sum of column ${index}`);
    });
    assert.ok(column(MOTION).every((value) => value === 0));
    bank.commit(step.kept_index);
    for (const [name, key] of [["ages", "age"], ["ordinals", "ordinal"], ["tokens", "token"]]) {
      assert.deepEqual(bank.slots.map((slot) => slot[key]), step[name], name);
    }
    assert.deepEqual(bank.slots.map((slot) => Number(slot.valid)), step.valid);
    assert.equal(bank.stored, step.stored);
  }
}

const { resized } = await load("geometry.js");
for (const { size: [width, height], side, image, resized: expected } of read("geometry")) {
  near(resized(Float32Array.from(image), width, height, side, side), expected, "resized");
}
console.log("equal");
