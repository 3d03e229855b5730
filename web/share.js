/** The page behind a share link: a press of its button uses the link up, and leads to the camera. */

import { countDown } from "./countdown.js";
import { postJson } from "./post.js";

const TOO_MANY = 429;
const [form, problem, button] = ["form", "problem", "open"].map((id) => document.getElementById(id));
const SUBMIT = button.textContent;
// Not in the address any longer than needed: it is shown, stored in the history, and copied.
const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

if (!secret) say("This link is not whole. Copy all of it, up to its end.");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  const { ok, status, answer, words, waitMs } = await postJson("share", { secret });
  if (ok) {
    location.replace(`camera/${encodeURIComponent(answer.camera)}`);
    return;
  }
  say(words);
  // Nothing that is tried again would end otherwise, unless it came too soon or the server was at fault, or away.
  if (!(status < 500) || status === TOO_MANY) countDown(button, SUBMIT, Date.now() + waitMs);
});

function say(words) {
  problem.textContent = words;
  problem.hidden = false;
  button.disabled = true;
}
