/** A still of the camera, for as long as its live picture does not come. */

import { snapshotAddress } from "./addresses.js";

/** Most live pictures are there sooner, and then nobody should make a still. */
const PATIENCE_MS = 400;
/** A still that is older is fetched anew. */
const STALE_MS = 10_000;

export class Poster {
  #video;
  #camera;
  #width;
  #timer = 0;
  #fetchedAt = -Infinity;

  /**
   * @param {HTMLVideoElement} video
   * @param {string} camera its name
   * @param {number} width in pixels, at the most
   */
  constructor(video, camera, width) {
    this.#video = video;
    this.#camera = camera;
    this.#width = width;
  }

  /** Called whenever something may have changed, and now and then. @param {boolean} wanted no live picture, but a live camera */
  look(wanted) {
    if (!wanted || document.hidden) {
      clearTimeout(this.#timer);
      this.#timer = 0;
    } else if (!this.#timer && performance.now() - this.#fetchedAt > STALE_MS) {
      this.#timer = setTimeout(() => this.#fetch(), PATIENCE_MS);
    }
  }

  #fetch() {
    this.#timer = 0;
    this.#fetchedAt = performance.now();
    this.#video.poster = snapshotAddress(this.#camera, this.#width);
  }
}
