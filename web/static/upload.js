// Drag and drop, and a bar while the file is on its way. Without this the form works as a form.
function start() {
  const form = document.querySelector("#upload");
  const zone = form.querySelector(".drop");
  const input = form.querySelector("input[type=file]");
  const told = form.querySelector(".chosen");
  const bar = form.querySelector("progress");

  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, () => zone.classList.remove("over"));
  }
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      form.requestSubmit();
    }
  });
  input.addEventListener("change", () => {
    told.textContent = input.files.length ? input.files[0].name : "";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, told, bar);
  });
}

function send(form, told, bar) {
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (step) => {
    bar.hidden = false;
    bar.value = step.lengthComputable ? (100 * step.loaded) / step.total : 0;
  });
  request.addEventListener("load", () => {
    const next = request.getResponseHeader("Location");
    if (next) {
      location.assign(next);
      return;
    }
    const page = new DOMParser().parseFromString(request.response, "text/html"); // it says what is wrong
    document.querySelector("main").replaceWith(page.querySelector("main"));
    if (document.querySelector("#upload")) start();
  });
  request.addEventListener("error", () => {
    told.textContent = form.dataset.failed;
    bar.hidden = true;
  });
  told.textContent = form.dataset.sending;
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json, text/html");
  request.send(new FormData(form));
}

start();
