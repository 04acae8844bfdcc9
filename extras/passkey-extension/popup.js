import { text } from "./words.js";

for (const element of document.querySelectorAll("[data-text]")) element.textContent = text[element.dataset.text];

const status = document.getElementById("status");

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  status.textContent = await chrome.runtime.sendMessage({
    do: "begin", address: form.get("address").replace(/\/+$/, ""), key: form.get("key").trim(),
  });
});
