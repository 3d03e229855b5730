/** The button of a camera's page that makes a share link, for those who control the camera. */

import { sharesAddress } from "./addresses.js";
import { postJson } from "./post.js";
import { whoAmI } from "./session.js";

const SPANS = [
  [3_600, "1 hour"],
  [8 * 3_600, "8 hours"],
  [86_400, "1 day"],
  [7 * 86_400, "1 week"],
];

/** Adds the button at the end of the bar, where one may share the camera. */
export async function offerSharing(bar, camera) {
  const { way, grants } = (await whoAmI()) ?? {};
  // Where everybody may see everything, a link would let nobody in who is not in already.
  if (way === "open" || (!grants?.control.length && !grants?.admin.length)) return;
  const mine = await fetch(sharesAddress(camera)).catch(() => null);
  if (!mine?.ok) return;
  const button = element("button", { type: "button", className: "share", textContent: "Share" });
  const dialog = shareDialog(camera);
  button.addEventListener("click", () => dialog.showModal());
  bar.append(button, dialog);
}

function shareDialog(camera) {
  const dialog = element("dialog", { className: "sharing" });
  dialog.setAttribute("aria-label", "Share this camera");
  const span = element("select");
  span.append(...SPANS.map(([seconds, words]) => element("option", { value: seconds, textContent: words })));
  const label = element("input", { type: "text", maxLength: 100, placeholder: "For whom (only you see this)" });
  const link = element("input", { type: "text", readOnly: true, hidden: true, ariaLabel: "Link" });
  const words = element("p", { role: "status" });
  words.textContent = "A link shows this camera to the first browser that opens it, and to no other.";
  const make = element("button", { type: "submit", className: "primary", textContent: "Make a link" });
  const close = element("button", { type: "button", textContent: "Close" });
  const form = element("form");
  const buttons = element("p", { className: "buttons" });
  buttons.append(close, make);
  form.append(element("h2", { textContent: "Share this camera" }), labelled("For", span), labelled("Note", label), words, link, buttons);
  close.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await makeShare(camera, Number(span.value), label.value);
    words.textContent = answer.words;
    link.hidden = !answer.url;
    link.value = answer.url ?? "";
    if (answer.url) link.select();
  });
  dialog.append(form);
  return dialog;
}

async function makeShare(camera, seconds, label) {
  const { ok, answer, words } = await postJson(sharesAddress(camera), { seconds, label });
  if (!ok) return { words };
  const copied = await navigator.clipboard?.writeText(answer.url).then(() => true, () => false);
  const until = new Date(answer.until * 1000).toLocaleString();
  const parts = [copied && "Copied.", `It works once, until ${until}.`, answer.note, "It is not shown again."];
  return { url: answer.url, words: parts.filter(Boolean).join(" ") };
}

function labelled(words, control) {
  const label = element("label");
  label.append(element("span", { textContent: words }), control);
  return label;
}

function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}
