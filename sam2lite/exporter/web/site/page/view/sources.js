// Where frames come from: a video, a camera, or pictures in a row.

const MOST_WIDTH = 1280; // px; wider pictures are made smaller before anything else
const STEP_S = 1 / 25; // where a browser does not tell of its video's frames

/**
 * @typedef {{ bitmap: ImageBitmap, ptsMs: number | null }} Taken
 * @typedef {{ name: string, isLive: boolean, next(): Promise<Taken | null>, close(): void }} Source
 *   `next` gives the next frame, null after the last
 */

/** A sentence for the user. */
export class SourceError extends Error {}

/** @param {HTMLVideoElement} video */
async function grab(video) {
  const { videoWidth, videoHeight } = video;
  if (videoWidth <= MOST_WIDTH) return createImageBitmap(video);
  const resizeHeight = Math.round(videoHeight * MOST_WIDTH / videoWidth);
  return createImageBitmap(video, { resizeWidth: MOST_WIDTH, resizeHeight, resizeQuality: "medium" });
}

/**
 * The time of the next frame that the video shows; null at its end, and when it is closed.
 * @param {HTMLVideoElement} video
 * @param {AbortSignal} closed
 * @returns {Promise<number | null>}
 */
function nextFrame(video, closed) {
  return new Promise((resolve) => {
    const over = () => resolve(null);
    video.addEventListener("ended", over, { once: true });
    closed.addEventListener("abort", over, { once: true });
    video.requestVideoFrameCallback((now, { mediaTime }) => {
      video.removeEventListener("ended", over);
      closed.removeEventListener("abort", over);
      resolve(mediaTime);
    });
  });
}

/**
 * A video file, which waits while a frame is worked on.
 * @param {string} url
 * @param {string} name
 * @returns {Promise<Source>}
 */
export async function openVideo(url, name) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  const ready = new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", resolve, { once: true });
    video.addEventListener("error", () => reject(new SourceError(
      `${name} cannot be played: this browser does not know its format, or it is no video`)), { once: true });
  });
  video.src = url;
  await ready;
  let isFirst = true;
  const closed = new AbortController();
  const tells = Reflect.has(video, "requestVideoFrameCallback");
  return {
    name,
    isLive: false,
    async next() {
      if (isFirst) {
        isFirst = false;
        return { bitmap: await grab(video), ptsMs: 0 };
      }
      if (video.ended) return null;
      let time = null;
      if (tells) {
        const shown = nextFrame(video, closed.signal);
        await video.play();
        time = await shown;
        video.pause();
      } else if (video.currentTime + STEP_S < video.duration) {
        const sought = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
        video.currentTime += STEP_S;
        await sought;
        time = video.currentTime;
      }
      return time === null ? null : { bitmap: await grab(video), ptsMs: 1000 * time };
    },
    close() {
      closed.abort();
      video.removeAttribute("src");
      video.load();
      if (url.startsWith("blob:")) URL.revokeObjectURL(url);
    },
  };
}

/**
 * The camera; what comes while a frame is worked on is left out.
 * @returns {Promise<Source>}
 */
export async function openCamera() {
  if (!navigator.mediaDevices) {
    throw new SourceError("browsers give a camera to HTTPS pages and to this machine's own alone");
  }
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "environment" }, audio: false,
  }).catch((error) => {
    throw new SourceError(error.name === "NotAllowedError" ? "the camera was not allowed" : "there is no camera to be had");
  });
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  const begin = performance.now();
  const closed = new AbortController();
  return {
    name: "camera",
    isLive: true,
    async next() {
      if ("requestVideoFrameCallback" in video) await nextFrame(video, closed.signal);
      else await new Promise((resolve) => requestAnimationFrame(resolve));
      return closed.signal.aborted ? null : { bitmap: await grab(video), ptsMs: performance.now() - begin };
    },
    close() {
      closed.abort();
      for (const track of stream.getTracks()) track.stop();
    },
  };
}

/**
 * Pictures as the frames of a clip, in the order of their names.
 * @param {File[]} files
 * @returns {Source}
 */
export function openPictures(files) {
  const order = new Intl.Collator("en", { numeric: true });
  const waiting = [...files].sort((a, b) => order.compare(a.name, b.name));
  return {
    name: `${files.length} pictures`,
    isLive: false,
    async next() {
      const file = waiting.shift();
      if (!file) return null;
      const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => {
        throw new SourceError(`${file.name} is no picture that this browser knows`);
      });
      return { bitmap, ptsMs: null };
    },
    close() {},
  };
}

/**
 * What a user chose: one video, or pictures.
 * @param {File[]} files
 */
export async function openFiles(files) {
  const videos = files.filter((file) => !file.type.startsWith("image/"));
  if (!videos.length) return openPictures(files);
  if (files.length > 1) throw new SourceError("give one video, or pictures alone");
  return openVideo(URL.createObjectURL(videos[0]), videos[0].name);
}
