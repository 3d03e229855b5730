/** Who is signed in, shown in the bar, with a way out; and the way back in when the session has ended. */

import { appAddress } from "./addresses.js";

/** @returns {Promise<{name: string, can_sign_out: boolean} | null | undefined>} null for nobody, undefined if unknown */
export async function whoAmI() {
  try {
    const response = await fetch(appAddress("api/v1/session"), { cache: "no-store" });
    if (response.ok) return await response.json();
    return response.status === 401 ? null : undefined;
  } catch {
    return undefined;
  }
}

/** Where to sign in and come back from. */
export function signInAddress() {
  return `${appAddress("signin")}?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/** Shows who is signed in at the end of the bar; nothing where nobody needs to be. */
export async function showSession(bar) {
  const session = bar && (await whoAmI());
  if (!session?.can_sign_out) return;
  const box = document.createElement("p");
  box.className = "session";
  const name = document.createElement("span");
  name.textContent = session.name;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Sign out";
  button.addEventListener("click", async () => {
    await fetch(appAddress("signout"), { method: "POST" }).catch(() => {});
    location.assign(signInAddress());
  });
  box.append(name, button);
  bar.append(box);
}
