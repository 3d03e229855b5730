/** The page behind a share link: a press of its button uses the link up, and leads to the camera. */

const [form, problem, button] = ["form", "problem", "open"].map((id) => document.getElementById(id));
// Not in the address any longer than needed: it is shown, stored in the history, and copied.
const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

if (!secret) say("This link is not whole. Copy all of it, up to its end.");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  let response;
  try {
    response = await fetch("share", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ secret }),
    });
  } catch {
    say("The server does not answer. It is down, or the network to it is.");
    button.disabled = false;
    return;
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) {
    location.replace(`camera/${encodeURIComponent(answer.camera)}`);
    return;
  }
  say(answer.detail ?? `The server answered with status ${response.status}.`);
  // Nothing that is tried again would end otherwise, unless the server was at fault.
  if (response.status >= 500) button.disabled = false;
});

function say(words) {
  problem.textContent = words;
  problem.hidden = false;
  button.disabled = true;
}
