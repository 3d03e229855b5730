/** Where pages, API and media are, seen from this module: pages also work below a proxy's path prefix. */

const root = new URL("..", import.meta.url);

const below = (path, name) => new URL(`${path}/${encodeURIComponent(name)}`, root).href;

/** @param {string} path below the place where camgate is, such as `signin` */
export const appAddress = (path) => new URL(path, root).href;
export const cameraAddress = (name) => below("camera", name);
export const whepAddress = (name) => below("whep", name);
/** One camera, or all of them. */
export const camerasAddress = (name) => (name ? below("api/v1/cameras", name) : new URL("api/v1/cameras", root).href);

/** @param {number} width in pixels, at the most */
export function snapshotAddress(name, width) {
  const address = new URL(`api/v1/cameras/${encodeURIComponent(name)}/snapshot.jpg`, root);
  address.searchParams.set("width", width);
  // Browsers show a poster that they have; this makes it another one.
  address.searchParams.set("at", Date.now());
  return address.href;
}

/** What a socket tells: all cameras' states, or one camera's states and figures. */
export function socketAddress(name) {
  const address = new URL("ws", root);
  if (name) address.searchParams.set("camera", name);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/** The camera that this page is about: the last part of its path, percent-encoding undone. */
export function cameraOfThisPage() {
  const part = location.pathname.split("/").pop();
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray % in a hand-written address
  }
}
