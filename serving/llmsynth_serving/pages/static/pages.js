// What pages gain from a script beyond htmx; all of them work without.
"use strict";

document.addEventListener("click", async (event) => {
  const copy = event.target.closest(".copy");
  if (!copy) return;
  const text = copy.parentElement.querySelector("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
  } catch {
    // No clipboard without TLS: the text is selected, and Ctrl-C takes it.
    getSelection().selectAllChildren(copy.parentElement.querySelector("code"));
    copy.textContent = "Press Ctrl-C";
  }
  setTimeout(() => (copy.textContent = "Copy"), 1600);
});

// Sliders say what share of all of them theirs is.
function tell(sliders) {
  const inputs = [...sliders.querySelectorAll("input[type=range]")];
  const total = inputs.reduce((sum, input) => sum + Number(input.value), 0);
  for (const input of inputs) {
    const share = total ? Math.round((1000 * input.value) / total) / 10 : 0;
    input.closest(".slider").querySelector("output").textContent = `${share}%`;
  }
}

document.addEventListener("input", (event) => {
  const sliders = event.target.closest(".sliders");
  if (sliders) tell(sliders);
});

// A large upload shows how far it is; the answer is a page like any other.
function watchUpload(form) {
  const bar = document.getElementById("upload-progress");
  const said = document.getElementById("upload-said");
  const file = form.querySelector("input[type=file]");
  const drop = file.closest(".drop");
  drop.addEventListener("dragover", () => drop.classList.add("over"));
  for (const end of ["dragleave", "drop"]) drop.addEventListener(end, () => drop.classList.remove("over"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    const button = form.querySelector("button");
    button.disabled = true;
    bar.hidden = false;
    request.upload.onprogress = (step) => {
      bar.value = step.loaded / step.total;
      if (step.loaded === step.total) {
        bar.removeAttribute("value");
        said.textContent = "Reading the table…";
      }
    };
    request.onload = () => {
      if (request.status < 400) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      document.getElementById("content").replaceWith(page.getElementById("content"));
      ready(document);
      document.querySelector("[role=alert] p")?.scrollIntoView({ block: "center" });
    };
    request.onerror = () => {
      said.textContent = "The connection broke. Try again.";
      button.disabled = false;
      bar.hidden = true;
    };
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
}

// News of a running job come as server-sent events; without them, htmx asks every second. A hidden
// page gives its stream back: a browser opens only a few connections to one host.
let stream = null;

function follow() {
  const part = document.querySelector("[data-events]");
  if (stream && (!part || document.hidden)) {
    stream.close();
    stream = null;
  }
  if (!part || document.hidden || stream?.readyState < EventSource.CLOSED) return;
  stream = new EventSource(part.dataset.events);
  stream.addEventListener("part", (event) => {
    const old = document.querySelector("[data-events]");
    if (!old) return;
    htmx.swap(old, event.data, { swapStyle: "outerHTML" }, { eventInfo: { target: old.parentElement } });
  });
}

document.addEventListener("visibilitychange", follow);
document.addEventListener("htmx:beforeRequest", (event) => {
  const isFollowed = stream?.readyState === EventSource.OPEN;
  if (isFollowed && event.detail.elt.matches("[data-events]")) event.preventDefault();
});

function ready(root) {
  for (const copy of root.querySelectorAll(".copy")) copy.hidden = false;
  for (const sliders of root.querySelectorAll(".sliders")) tell(sliders);
  const upload = root.querySelector("#upload");
  if (upload) watchUpload(upload);
}

document.addEventListener("DOMContentLoaded", () => {
  ready(document);
  follow();
});
document.addEventListener("htmx:afterSwap", (event) => {
  ready(event.detail.target.parentElement ?? document);
  if (!document.querySelector("[data-events]")) follow();
});

// A refusal is shown on top, whatever was asked for, until something else is clicked.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.xhr.getResponseHeader("HX-Retarget")) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.requestConfig.verb === "post") document.getElementById("problems").replaceChildren();
});
