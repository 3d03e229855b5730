/** How cameras are configured: asked for, and changed, by the API. */

import { appAddress } from "./addresses.js";
import { sendJson } from "./post.js";

const CAMERAS = "api/v1/config/cameras";
const cameraAt = (name, more = "") => appAddress(`${CAMERAS}/${encodeURIComponent(name)}${more}`);

/** @returns {Promise<{ok: boolean, status?: number, answer: any, words: string}>} the list, where it is `ok` */
export const listConfigured = () => sendJson("GET", appAddress(CAMERAS));
export const addCamera = (camera) => sendJson("POST", appAddress(CAMERAS), camera);
export const changeCamera = (name, changes) => sendJson("PATCH", cameraAt(name), changes);
export const removeCamera = (name) => sendJson("DELETE", cameraAt(name));
export const switchCamera = (name, on) => sendJson("POST", cameraAt(name, on ? "/enable" : "/disable"));

/** Has the server look at a camera: by all its keys, or by those that are to change of one that it knows. */
export const probeCamera = (camera, signal) => sendJson("POST", appAddress("api/v1/config/probe"), camera, signal);
