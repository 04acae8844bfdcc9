// Carries the request from Pesan to a tab of WhatsApp Web, and the answer back. The key stays in the browser's memory until the
// ceremony ends.
import { text } from "./words.js";

const web = "https://web.whatsapp.com/";

// call returns the results of one of Pesan's endpoints; it throws what a person can read.
async function call({ address, key }, endpoint, params = {}) {
  let answer;
  try {
    const response = await fetch(`${address}/api/${endpoint}`, {
      method: "POST", credentials: "omit", headers: { "Accept-Language": navigator.language },
      body: new URLSearchParams({ apiKey: key, ...params }),
    });
    answer = await response.json();
  } catch {
    throw text.unreached;
  }
  if (answer.code >= 300) throw text.failed.replace("{}", answer.message);
  return answer.results;
}

// begin asks Pesan for the request and shows it in a tab of WhatsApp Web, whose origin alone may use the passkey.
async function begin(pesan) {
  const { publicKey } = await call(pesan, "getPasskey");
  const [open] = await chrome.tabs.query({ url: web + "*" });
  const tab = open ?? (await chrome.tabs.create({ url: web }));
  await chrome.tabs.update(tab.id, { active: true });
  await loaded(tab.id);
  await chrome.storage.session.set({ pesan, tab: tab.id });
  await run(tab.id, "ISOLATED", relay);
  await run(tab.id, "MAIN", ceremony, publicKey, text);
  return text.opened;
}

const run = (tabId, world, func, ...args) => chrome.scripting.executeScript({ target: { tabId }, world, func, args });

async function loaded(id) {
  if ((await chrome.tabs.get(id)).status === "complete") return;
  await new Promise((resolve) => {
    chrome.tabs.onUpdated.addListener(function done(tab, change) {
      if (tab !== id || change.status !== "complete") return;
      chrome.tabs.onUpdated.removeListener(done);
      resolve();
    });
  });
}

// relay runs beside the page and passes on what its ceremony says, and nothing else.
function relay() {
  if (globalThis.pesanRelay) return;
  globalThis.pesanRelay = true;
  addEventListener("message", async ({ source, origin, data }) => {
    if (source !== window || origin !== location.origin || data?.pesan !== "ask") return;
    const said = await chrome.runtime.sendMessage({ do: data.do, credential: data.credential });
    postMessage({ pesan: "answer", ...said }, location.origin);
  });
}

// ceremony runs in the page: it asks the person, uses the passkey, and shows how it ended.
function ceremony(publicKey, text) {
  document.getElementById("pesan-passkey")?.remove();
  const dialog = Object.assign(document.createElement("dialog"), { id: "pesan-passkey" });
  dialog.style.cssText = "font: 16px/1.5 system-ui; max-width: 24rem; padding: 1.5rem";
  const show = (message, ...buttons) => {
    const p = Object.assign(document.createElement("p"), { textContent: message });
    dialog.replaceChildren(p, ...buttons.map(([label, act]) =>
      Object.assign(document.createElement("button"), { textContent: label, onclick: act, style: "margin-right: 1rem; padding: .5rem 1rem; font: inherit" })));
  };
  const tell = (message) => postMessage({ pesan: "ask", ...message }, location.origin);
  const use = async () => {
    try {
      const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
      const credential = await navigator.credentials.get({ publicKey: options });
      tell({ do: "send", credential: JSON.stringify(credential.toJSON()) });
    } catch (error) {
      show(text.refused.replace("{}", error.message), [text.use, use], [text.cancel, () => dialog.remove()]);
    }
  };
  addEventListener("message", function answered({ source, origin, data }) {
    if (source !== window || origin !== location.origin || data?.pesan !== "answer") return;
    if (!dialog.isConnected) return removeEventListener("message", answered);
    if (data.failed) return show(data.failed, [text.use, use], [text.cancel, () => dialog.remove()]);
    if (data.compare) {
      return show(text.compare.replace("{}", data.compare), [text.same, () => tell({ do: "confirm" })],
        [text.differs, () => show(text.cancelled, [text.cancel, () => dialog.remove()])]);
    }
    show(text.sent, ["OK", () => dialog.remove()]);
  });
  show(text.ask, [text.use, use], [text.cancel, () => dialog.remove()]);
  document.body.append(dialog);
  dialog.showModal();
}

// compareCode waits a moment for the code that some phones want compared; "" when none is.
async function compareCode(pesan) {
  for (let i = 0; i < 5; i++) {
    try {
      const { compareCode } = await call(pesan, "getPasskey");
      if (compareCode) return compareCode;
    } catch {
      return ""; // the device is being linked
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return "";
}

// What the tab of WhatsApp Web may ask for.
const acts = {
  async send({ credential }, pesan) {
    await call(pesan, "sendPasskey", { credential });
    return { compare: await compareCode(pesan) };
  },
  async confirm(_, pesan) {
    await call(pesan, "confirmPasskey");
    return {};
  },
};

chrome.runtime.onMessage.addListener((message, sender, answer) => {
  (async () => {
    if (message.do === "begin" && sender.url === chrome.runtime.getURL("popup.html")) {
      return answer(await begin({ address: message.address, key: message.key }).catch((e) => e.message ?? e));
    }
    const { pesan, tab } = await chrome.storage.session.get(["pesan", "tab"]);
    if (!pesan || sender.tab?.id !== tab || !Object.hasOwn(acts, message.do)) return answer({ failed: text.cancelled });
    try {
      const said = await acts[message.do](message, pesan);
      if (!said.compare) await chrome.storage.session.clear();
      answer(said);
    } catch (error) {
      answer({ failed: error.message ?? error });
    }
  })();
  return true;
});
