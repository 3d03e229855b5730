/** Where pages, API and media are, seen from this module: pages also work below a proxy's path prefix. */

const root = new URL("..", import.meta.url);

/** What lets this page in where it stands in another site's: a token in its address, which all that it asks for needs. */
const token = new URLSearchParams(location.search).get("token");

const below = (path, name) => withToken(`${path}/${encodeURIComponent(name)}`);

function withToken(path) {
  const address = new URL(path, root);
  if (token) address.searchParams.set("token", token);
  return address.href;
}

/** @param {string} path below the place where camgate is, such as `signin` */
export const appAddress = (path) => (path.startsWith("api/") ? withToken(path) : new URL(path, root).href);
export const cameraAddress = (name) => below("camera", name);
export const whepAddress = (name) => below("whep", name);
/** One camera, or all of them. */
export const camerasAddress = (name) => (name ? below("api/v1/cameras", name) : withToken("api/v1/cameras"));
export const sharesAddress = (name) => withToken(`api/v1/cameras/${encodeURIComponent(name)}/shares`);

/** @param {number} width in pixels, at the most */
export function snapshotAddress(name, width) {
  const address = new URL(withToken(`api/v1/cameras/${encodeURIComponent(name)}/snapshot.jpg`));
  address.searchParams.set("width", width);
  // Browsers show a poster that they have; this makes it another one.
  address.searchParams.set("at", Date.now());
  return address.href;
}

/** What a socket tells: all cameras' states, or one camera's states and figures. */
export function socketAddress(name) {
  const address = new URL(withToken("ws"));
  if (name) address.searchParams.set("camera", name);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/** The camera that this page is about: the last part of its path, percent-encoding undone. */
export function cameraOfThisPage() {
  const part = location.pathname.split("/").pop();
  try {
    return decodeURIComponent(part).normalize(); // as the server writes names
  } catch {
    return part; // a stray % in a hand-written address
  }
}
