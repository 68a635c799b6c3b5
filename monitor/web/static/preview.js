/* The preview follows what is typed. Without this file the tabs are links and "Update" is a button. */
"use strict";
(() => {
  const form = document.getElementById("decision");
  const tabs = [...document.querySelectorAll("a[data-preview]")];
  if (!form || !tabs.length || !window.htmx) return;
  const update = form.querySelector(".tabs button[value=look]");
  if (update) update.hidden = true;

  let shown = tabs.find((tab) => tab.getAttribute("aria-current")) || tabs[0];
  const draw = () => window.htmx.ajax("POST", shown.dataset.preview, {
    source: form, target: "#preview", swap: "innerHTML", values: Object.fromEntries(new FormData(form)),
  });

  tabs.forEach((tab) => tab.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    tabs.forEach((one) => one.removeAttribute("aria-current"));
    tab.setAttribute("aria-current", "true");
    shown = tab;
    draw();
  }));

  let waiting = 0;
  form.addEventListener("input", (event) => {
    if (!["narrative", "status"].includes(event.target.name)) return;
    clearTimeout(waiting);
    waiting = setTimeout(draw, 350);
  });
})();
