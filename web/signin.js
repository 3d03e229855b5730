/** The sign-in page: sends name and password once, says in words what is wrong, and goes where one wanted to go. */

import { countDown } from "./countdown.js";
import { postJson } from "./post.js";
import { whoAmI } from "./session.js";

const [form, problem, button, nameField, passwordField] = ["form", "problem", "submit", "name", "password"].map((id) =>
  document.getElementById(id),
);
const SUBMIT = "Sign in";
const LOOK_MS = 10_000;

/** Why somebody was sent here, by the kind of problem that the address names. */
const REASONS = {
  "not-permitted": "You may not see this as the user whom you are signed in as. Sign in as somebody else.",
  "login-refused": "This link's time is over, or a part of it is missing. Sign in instead.",
};
const reason = new Map(Object.entries(REASONS)).get(new URLSearchParams(location.search).get("why"));
if (reason) say(reason);
// So the page comes while logins cannot be checked.
else if (!problem.hidden) setTimeout(goOn, LOOK_MS);

// The browser's own words about empty fields are for browsers without this script.
form.noValidate = true;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  if (!nameField.value || !passwordField.value) {
    say("Write your name and your password.");
    (nameField.value ? passwordField : nameField).focus();
    return;
  }
  button.disabled = true;
  const waitMs = await signIn();
  if (waitMs !== null) countDown(button, SUBMIT, Date.now() + waitMs);
});
// Whoever comes back by the browser's button finds the page as it was left.
addEventListener("pageshow", ({ persisted }) => persisted && countDown(button, SUBMIT, 0));

/** @returns {Promise<number | null>} how long to wait before the next try; null where this one was right */
async function signIn() {
  const login = { name: nameField.value, password: passwordField.value };
  const { ok, status, words, waitMs } = await postJson("signin", login);
  if (ok) {
    location.replace(destination());
    return null;
  }
  if (status === 401) {
    say("The name or the password is wrong.");
    passwordField.focus();
    passwordField.select();
  } else if (status === 429) {
    say("Too many sign-ins have failed. The next one has to wait.");
  } else {
    say(words);
  }
  return waitMs;
}

/** Leads on whoever is signed in already, as soon as the server can find that out. */
async function goOn() {
  const who = await whoAmI();
  if (who) location.replace(destination());
  else if (who === undefined) setTimeout(goOn, LOOK_MS);
}

function say(words) {
  problem.textContent = words;
  problem.hidden = false;
}

/** Where one wanted to go: a page of this site only, whatever the address says. */
function destination() {
  const home = new URL(".", location.href);
  const wanted = new URLSearchParams(location.search).get("next");
  if (!wanted) return home.href;
  let url;
  try {
    url = new URL(wanted, home);
  } catch {
    return home.href;
  }
  // Not by origin alone: another program may stand beside this one, below another path.
  const isOurs = url.origin === home.origin && url.pathname.startsWith(home.pathname);
  return isOurs && !/\/sign(in|out)$/.test(url.pathname) ? url.href : home.href;
}
