/** Who is signed in, shown in the bar, with a way out; and the way back in when the session has ended. */

import { appAddress } from "./addresses.js";
import { postJson } from "./post.js";

/** So often a session is looked at, which the server prolongs once half of it is over: an hour is its least length. */
const LOOK_MS = 15 * 60_000;
const ANSWER_MS = 10_000;

/** @returns {Promise<object | null | undefined>} what `GET api/v1/session` tells; null for nobody, undefined if unknown */
export async function whoAmI() {
  try {
    const response = await fetch(appAddress("api/v1/session"), {
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (response.ok) return await response.json();
    return response.status === 401 ? null : undefined;
  } catch {
    return undefined;
  }
}

/** Where to sign in and come back from: without the token that let this page in, which is nobody's to keep. */
export function signInAddress() {
  const { pathname, search, searchParams } = new URL(location.href);
  const wishes = searchParams.has("token") ? withoutToken(searchParams) : search;
  return `${appAddress("signin")}?next=${encodeURIComponent(pathname + wishes)}`;
}

function withoutToken(wishes) {
  wishes.delete("token");
  return wishes.size ? `?${wishes}` : "";
}

/**
 * Shows who is signed in, or, once that has ended, the page's links to the sign-in page (`data-part="signin"`). Those not
 * in frames of other sites: there browsers send no session.
 * @param {import("./cameras.js").Cameras} cameras
 */
export function tellOfSession(cameras) {
  const links = isFramedElsewhere() ? [] : document.querySelectorAll('[data-part="signin"]');
  const bar = document.querySelector(".bar");
  const render = () => {
    for (const link of links) {
      link.href = signInAddress();
      link.hidden = !cameras.signedOut;
    }
    if (cameras.signedOut) bar?.querySelector(".session")?.remove();
    else if (cameras.serverAnswers) showSession(bar);
  };
  cameras.addEventListener("server", render);
  // No click is needed to stay signed in: a screen on a wall has none.
  setInterval(() => document.hidden || cameras.signedOut || whoAmI(), LOOK_MS);
}

/** Nothing where nobody needs to sign in. */
async function showSession(bar) {
  const session = bar && (await whoAmI());
  bar?.querySelector(".session")?.remove();
  if (!session?.can_sign_out) return;
  const box = document.createElement("p");
  box.className = "session";
  const name = document.createElement("span");
  name.className = "who";
  name.textContent = session.name;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Sign out";
  button.title = `Signed in as ${session.name}`;
  button.addEventListener("click", async () => {
    button.disabled = true;
    const { ok, words } = await postJson(appAddress("signout"));
    if (ok) location.assign(signInAddress());
    else tellBelow(bar, `You are still signed in, as signing out has failed. ${words}`);
    button.disabled = ok;
  });
  box.append(name, button);
  bar.append(box);
}

/** Whoever turns away from a screen that others use must know that it is still theirs. */
function tellBelow(bar, words) {
  const id = "not-signed-out";
  document.getElementById(id)?.remove();
  const banner = document.createElement("div");
  Object.assign(banner, { id, className: "banner", role: "alert" });
  const text = document.createElement("p");
  text.textContent = words;
  banner.append(text);
  bar.after(banner);
}

function isFramedElsewhere() {
  try {
    return window.top.location.origin !== location.origin;
  } catch {
    return true; // a page of another site's, whose address is none of our business
  }
}
