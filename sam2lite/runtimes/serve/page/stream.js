// The server's stream, part by part. An <img> could show it, but would not tell which frame it shows.

const AGAIN_MS = [500, 1000, 2000, 5000];

/** Give the parts of a multipart answer, each with its headers and its bytes. */
async function* partsOf(response) {
  const reader = response.body.getReader();
  let bytes = new Uint8Array(0);
  const more = async () => {
    const { done, value } = await reader.read();
    if (done) return false;
    const joined = new Uint8Array(bytes.length + value.length);
    joined.set(bytes);
    joined.set(value, bytes.length);
    bytes = joined;
    return true;
  };
  const headEnd = () => {
    for (let i = 3; i < bytes.length; i++) {
      if (bytes[i] === 10 && bytes[i - 1] === 13 && bytes[i - 2] === 10 && bytes[i - 3] === 13) return i + 1;
    }
    return -1;
  };
  try {
    for (;;) {
      let end = headEnd();
      while (end < 0) {
        if (!await more()) return;
        end = headEnd();
      }
      const headers = {};
      for (const line of new TextDecoder("latin1").decode(bytes.subarray(0, end)).split("\r\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      const length = Number(headers["content-length"]);
      while (bytes.length < end + length) {
        if (!await more()) return;
      }
      yield { headers, body: bytes.slice(end, end + length) };
      bytes = bytes.slice(end + length);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Show the stream for as long as the page is looked at, and come back when the connection is lost.
 *
 * onPicture(about, bitmap) is awaited, so that a slow page misses frames instead of piling them up;
 * onLost(sentence) is told why nothing comes.
 */
export async function watch(onPicture, onLost) {
  let failures = 0;
  for (;;) {
    if (document.hidden) {
      await new Promise((go) => document.addEventListener("visibilitychange", go, { once: true }));
      continue;
    }
    const stop = new AbortController();
    const leave = () => { if (document.hidden) stop.abort(); };
    document.addEventListener("visibilitychange", leave);
    try {
      const response = await fetch("/live", { signal: stop.signal });
      if (!response.ok) throw new Error((await response.json()).error);
      let about = null;
      for await (const part of partsOf(response)) {
        failures = 0;
        if (part.headers["content-type"] === "application/json") {
          about = JSON.parse(new TextDecoder().decode(part.body));
        } else {
          const bitmap = await createImageBitmap(new Blob([part.body], { type: "image/jpeg" }));
          await onPicture(about, bitmap);
          bitmap.close();
        }
      }
      if (!stop.signal.aborted) onLost("the connection was closed");
    } catch (error) {
      if (!stop.signal.aborted) onLost(error instanceof TypeError ? "the server does not answer" : error.message);
    } finally {
      document.removeEventListener("visibilitychange", leave);
    }
    if (!document.hidden) {
      await new Promise((go) => setTimeout(go, AGAIN_MS[Math.min(failures++, AGAIN_MS.length - 1)]));
    }
  }
}

/** Have the server do something; returns its answer, or throws an Error with its sentence. */
export async function ask(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
