// Pictures as the network sees them: node stretch.mjs SITE FILE WIDTH HEIGHT SIDE > bytes

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [site, file, ...sizes] = process.argv.slice(2);
const [width, height, side] = sizes.map(Number);
const { networkInput } = await import(pathToFileURL(resolve(site, "page/loop/geometry.js")).href);
process.stdout.write(networkInput({ data: new Uint8Array(readFileSync(file)), width, height }, side));
