// The site's own files: fetched from its server alone, and compared with the manifest.

const root = new URL("../../", import.meta.url);

/** A sentence for the user: the site cannot be used as it lies there. */
export class SiteError extends Error {}

/** @param {string} name relative to the site */
export const urlOf = (name) => new URL(name, root).href;

/** @param {string} name */
async function answer(name) {
  const response = await fetch(urlOf(name)).catch(() => null);
  if (!response) throw new SiteError(`the server does not answer for ${name}; is it still running?`);
  if (!response.ok) throw new SiteError(`${name} is missing on the server (${response.status}); copy the whole folder`);
  return response;
}

/** The bundle's manifest. */
export async function readManifest() {
  try {
    return await (await answer("manifest.json")).json();
  } catch (error) {
    if (error instanceof SiteError) throw error;
    throw new SiteError("manifest.json cannot be read; export the site again");
  }
}

/**
 * A file that the manifest lists.
 * @param {any} manifest
 * @param {string} name
 * @param {(bytes: number) => void} progress told of bytes as they come
 */
export async function readFile(manifest, name, progress = () => {}) {
  const entry = manifest.files[name];
  if (!entry) throw new SiteError(`the manifest does not list ${name}; export the site again`);
  const response = await answer(name);
  const bytes = new Uint8Array(entry.bytes);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  let filled = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (filled + part.value.length <= bytes.length) bytes.set(part.value, filled);
    filled += part.value.length;
    progress(part.value.length);
  }
  const damaged = `${name} is not what was exported; copy the folder again`;
  if (filled !== bytes.length) throw new SiteError(damaged);
  // Only there on HTTPS and on this machine; elsewhere the size has to do.
  if (globalThis.crypto?.subtle) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    if (Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") !== entry.sha256) {
      throw new SiteError(damaged);
    }
  }
  return bytes;
}
