/* Keys of the desk. Every one of them is a link or a button too; "Turn keys off" is kept in this browser. */
"use strict";
(() => {
  const KEPT = "monitor-keys";
  const list = document.getElementById("keys");
  const turn = document.getElementById("keys-switch");
  if (!list || !turn) return;

  const kept = () => { try { return localStorage.getItem(KEPT); } catch { return null; } };
  const keep = (value) => { try { localStorage.setItem(KEPT, value); } catch { /* then for this page only */ } };
  let on = kept() !== "off";

  const show = () => {
    document.documentElement.classList.toggle("keys-off", !on);
    list.hidden = !on;
    turn.hidden = false;
    turn.textContent = on ? "Turn keys off" : "Turn keys on";
  };
  turn.addEventListener("click", () => { on = !on; keep(on ? "on" : "off"); show(); });
  show();

  const rows = () => [...document.querySelectorAll("a[data-row]")];
  const step = (by) => {
    const all = rows();
    if (!all.length) return false;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    all[next].focus();
    return true;
  };

  const unfold = (summary) => {
    const details = summary.parentElement;
    document.querySelectorAll(".act details[open]").forEach((one) => { if (one !== details) one.open = false; });
    details.open = true;
    const field = details.querySelector("textarea, input");
    if (field) field.focus();
  };

  const ACTS = {
    DETAILS: (node) => { node.open = !node.open; node.querySelector("summary").focus(); },
    SUMMARY: unfold,
    A: (node) => node.click(),
  };

  const press = (key) => {
    if ((key === "j" && step(1)) || (key === "k" && step(-1))) return true;
    const node = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    if (!node) return false;
    (ACTS[node.tagName] || ((one) => one.focus()))(node);
    return true;
  };

  const typing = (node) => node.matches("input:not([type=radio]), textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest(".act details")) {
      const details = event.target.closest(".act details");
      details.open = false;
      details.querySelector("summary").focus();
      return;
    }
    if (!on || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
    if (press(event.key)) event.preventDefault();
  });

  document.querySelectorAll("[data-focus]").forEach((link) => link.addEventListener("click", (event) => {
    const field = document.getElementById(link.dataset.focus);
    if (field) { event.preventDefault(); field.focus(); }
  }));

  const outcome = document.getElementById("outcome");
  if (outcome) outcome.focus();
})();
