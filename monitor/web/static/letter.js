// Fills the reader's name and town into the letter, and copies it. Without this script the mail link works as it is.
"use strict";
(() => {
  const letter = document.querySelector(".letter");
  const [name, town] = letter.querySelectorAll("input");
  const subject = letter.querySelector("p b");
  const body = letter.querySelector(".body");
  const button = letter.querySelector("button");
  const status = letter.querySelector("[role=status]");
  const links = document.querySelectorAll("a[href^='mailto:?subject=']");
  const subjects = subject.textContent;
  const filled = (text) =>
    text.split("{name}").join(name.value || "[your name]").split("{town}").join(town.value || "[your town]");
  const show = () => {
    subject.textContent = subjects.split("[your name]").join(name.value || "[your name]")
      .split("[your town]").join(town.value || "[your town]");
    body.textContent = filled(letter.dataset.template);
    const query = "?subject=" + encodeURIComponent(subject.textContent) +
      "&body=" + encodeURIComponent(body.textContent.replace(/\r?\n/g, "\r\n"));
    links.forEach((link) => { link.href = "mailto:" + query; });
  };
  letter.querySelector(".fill").hidden = false;
  name.addEventListener("input", show);
  town.addEventListener("input", show);
  if (navigator.clipboard) {
    button.hidden = false;
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(subject.textContent + "\n\n" + body.textContent).then(
        () => { status.textContent = "Copied."; },
        () => { status.textContent = "Copying was refused; select the text and copy it."; });
    });
  }
})();
