/** The sign-in page: sends name and password once, says in words what is wrong, and goes where one wanted to go. */

const [form, problem, button, nameField, passwordField] = ["form", "problem", "submit", "name", "password"].map((id) =>
  document.getElementById(id),
);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  if (!nameField.value || !passwordField.value) {
    say("Write your name and your password.");
    return;
  }
  button.disabled = true;
  const waitMs = await signIn();
  if (waitMs >= 0) countDown(waitMs);
});

/** @returns {Promise<number>} how long to wait before the next try; less than 0 where this one was right */
async function signIn() {
  const login = { name: nameField.value, password: passwordField.value };
  let response;
  try {
    response = await fetch("signin", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(login),
    });
  } catch {
    say("The server does not answer. Is it running?");
    return 0;
  }
  if (response.ok) {
    location.replace(destination());
    return -1;
  }
  const { status } = response;
  const detail = (await response.json().catch(() => ({}))).detail;
  if (status === 401) {
    say("The name or the password is wrong.");
    passwordField.select();
    return 0;
  }
  say(status === 429 ? "Too many sign-ins have failed." : (detail ?? `The server answered with status ${status}.`));
  return Number(response.headers.get("Retry-After") ?? 0) * 1000;
}

function say(words) {
  problem.textContent = words;
  problem.hidden = false;
}

function countDown(waitMs) {
  if (waitMs <= 0) {
    button.disabled = false;
    button.textContent = "Sign in";
    return;
  }
  button.textContent = `Try again in ${Math.ceil(waitMs / 1000)} s`;
  setTimeout(() => countDown(waitMs - 1000), Math.min(1000, waitMs));
}

/** Where one wanted to go: a page of this site only, whatever the address says. */
function destination() {
  const home = new URL(".", location.href);
  const wanted = new URLSearchParams(location.search).get("next");
  if (!wanted) return home.href;
  const url = new URL(wanted, home);
  return url.origin === home.origin && !url.pathname.endsWith("/signin") ? url.href : home.href;
}
