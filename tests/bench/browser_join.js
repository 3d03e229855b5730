/**
 * One join on a camera's page, from the click on Connect to the click on Disconnect, and every picture presented
 * meanwhile: when, and its place in the camera's loop as read from the picture itself (null where it cannot be read).
 */
async ({ clickAtMs, watchMs }) => {
  const CELLS = 35;
  const video = document.querySelector("video");
  const button = document.querySelector("[data-part=connect]");
  const context = new OffscreenCanvas(CELLS, 1).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  function readPlace() {
    const cell = Math.floor(video.videoWidth / 40);
    context.drawImage(video, 0, 0, CELLS * cell, cell, 0, 0, CELLS, 1);
    const { data } = context.getImageData(0, 0, CELLS, 1);
    const bits = Array.from({ length: CELLS }, (_, i) => (data[4 * i] >= 128 ? 1 : 0));
    const odd = bits.slice(2).reduce((sum, bit) => sum ^ bit, 0);
    return bits[0] !== 1 || bits[1] !== 0 || odd ? null : bits.slice(2, 34).reduce((n, bit) => n * 2 + bit, 0);
  }

  async function inbound(connection) {
    const report = await connection.getStats();
    const entry = [...report.values()].find((each) => each.type === "inbound-rtp" && each.kind === "video");
    return entry ? { ...entry } : {};
  }

  await sleep(clickAtMs - Date.now());
  const pictures = [];
  let watching = true;
  const present = (_, { expectedDisplayTime }) => {
    if (!watching) return;
    const atMs = performance.now();
    const toScreenMs = Math.max(0, expectedDisplayTime - atMs);
    pictures.push({ atMs: atMs - clickedMs, unixMs: performance.timeOrigin + atMs, toScreenMs, place: readPlace() });
    video.requestVideoFrameCallback(present);
  };
  const clickedMs = performance.now();
  button.click();
  video.requestVideoFrameCallback(present);
  const [connection] = camgate.peerConnections();
  let connectedMs = null;
  connection.addEventListener("connectionstatechange", () => {
    if (connection.connectionState === "connected") connectedMs = performance.now() - clickedMs;
  });
  await sleep(watchMs / 2);
  const half = await inbound(connection);
  await sleep(watchMs / 2);
  const whole = await inbound(connection);
  const shownDelayMs = camgate.players()[0].figures.delayMs;
  watching = false;
  button.click();
  return { connectedMs, pictures, half, whole, shownDelayMs };
};
