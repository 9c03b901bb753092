// A service worker: the headers that a plain static server does not send.
//
// With the first two, browsers share memory among threads, which WebAssembly needs for more than
// one. The policy, which the page has in its own text, holds for its workers, too; and what is not
// of this site is not asked for.

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
  + "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
  + "base-uri 'none'; form-action 'none'";
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": POLICY,
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const isOwn = new URL(request.url).origin === self.location.origin;
  event.respondWith(isOwn ? isolated(request) : Response.error());
});

async function isolated(request) {
  const response = await fetch(request);
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const { status, statusText } = response;
  const hasNoBody = [204, 205, 304].includes(status);
  return new Response(hasNoBody ? null : response.body, { status, statusText, headers });
}
