// Registers the service worker that gives the page threads, and loads the page once more through it.

const TRIED = "isolation-tried";

/** Return whether the page goes on; if not, it is being loaded again. */
export async function isolated() {
  if (window.crossOriginIsolated || !("serviceWorker" in navigator)) return true;
  try {
    await navigator.serviceWorker.register("isolation.js");
    await navigator.serviceWorker.ready;
    if (sessionStorage.getItem(TRIED)) return true; // once is enough: not every browser isolates
    sessionStorage.setItem(TRIED, "yes");
    location.reload();
    return false;
  } catch {
    return true; // one thread, which the page says
  }
}
