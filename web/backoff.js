/** Waiting times between attempts: doubling, capped, and spread so that a thousand pages don't come back at once. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

export class Backoff {
  #attempt = 0;

  /** @returns {number} milliseconds to wait before the next attempt: 50-100 % of the current step */
  next() {
    const step = Math.min(FIRST_MS * 2 ** this.#attempt, LONGEST_MS);
    this.#attempt += 1;
    return step * (0.5 + Math.random() / 2);
  }

  reset() {
    this.#attempt = 0;
  }
}
