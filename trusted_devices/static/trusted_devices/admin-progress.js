/* Carries a big act on by itself, or follows one that is done in the background. */
"use strict";
{
  const PAUSE = 1500;

  const form = document.getElementById("td-continue");
  if (form) {
    form.submit();
  }

  const follow = async () => {
    const job = document.getElementById("td-job");
    if (!job || "over" in job.dataset) {
      return;
    }
    try {
      const response = await fetch(location.href, { credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const current = page.getElementById("td-job");
      if (!current) {
        location.reload();
        return;
      }
      job.replaceChildren(...current.childNodes);
      Object.assign(job.dataset, current.dataset);
    } catch {
      // The network will be back; so will this.
    }
    setTimeout(follow, PAUSE);
  };
  setTimeout(follow, PAUSE);
}
