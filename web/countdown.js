/** A button that has to wait, and says for how long. */

/**
 * @param {HTMLButtonElement} button
 * @param {string} label of the button when it may be pressed again
 * @param {number} until Unix time in milliseconds
 */
export function countDown(button, label, until) {
  const waitS = Math.ceil((until - Date.now()) / 1000);
  button.disabled = waitS > 0;
  button.textContent = waitS > 0 ? `Try again in ${inWords(waitS)}` : label;
  if (waitS > 0) setTimeout(() => countDown(button, label, until), 250);
}

const inWords = (seconds) => (seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`);
