// A page that keeps its session in a cookie of the auth server.
//
// The page never sees a token: the cookie is HttpOnly. It knows the CSRF token of the session, which every request that changes
// something carries. After a reload it asks for that token again.

const server = document.querySelector("meta[name=auth-server]").content;
const element = (id) => document.getElementById(id);

// Tells the other tabs that somebody has logged in or out.
const tabs = new BroadcastChannel("session");

let csrfToken = null;

class Refused extends Error {
  constructor(status, body) {
    super(body.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body.code;
  }
}

async function send(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (csrfToken !== null) headers["X-CSRF-Token"] = csrfToken;
  const answer = await fetch(server + path, {
    method,
    headers,
    credentials: "include",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, json);
  return json;
}

// Sends a request. Where the short access token in the cookie has expired, or its key was retired, it renews the session and
// tries once more.
async function call(method, path, body) {
  try {
    return await send(method, path, body);
  } catch (error) {
    if (error.code !== "token_expired" && error.code !== "token_invalid") throw error;
    await refresh();
    return send(method, path, body);
  }
}

// Renews the session. Two tabs may do so at the same time: the server gives both the same next token.
async function refresh() {
  csrfToken = (await send("POST", "/auth/refresh")).csrf_token;
}

async function login(email, password) {
  csrfToken = null;
  csrfToken = (await send("POST", "/auth/login", { email, password, session: "cookie" })).csrf_token;
}

async function logout(path) {
  await call("POST", path);
  csrfToken = null;
}

// Finds out whether there is a session, also after a reload.
async function resume() {
  csrfToken = (await send("GET", "/auth/csrf")).csrf_token;
  return call("GET", "/user/me");
}

async function show() {
  let user = null;
  try {
    user = await resume();
  } catch (error) {
    // Every other answer, and none at all, says nothing of the session.
    if (error.status !== 401) throw error;
    csrfToken = null;
  }
  element("signed-out").hidden = user !== null;
  element("signed-in").hidden = user === null;
  element("username").textContent = user?.username ?? "";
  element("email").textContent = user?.email ?? "";
  element("public-id").textContent = user?.public_id ?? "";
}

function report(error) {
  element("status").textContent = error instanceof Refused ? error.message : "The server cannot be reached.";
}

// Runs an action of the user, shows what became of it, and lets nobody start it twice.
async function act(control, done, action) {
  control.disabled = true;
  element("status").textContent = "";
  try {
    await action();
    await show();
    element("status").textContent = done;
  } catch (error) {
    if (error.status === 401) await show().catch(() => {});
    report(error);
  } finally {
    control.disabled = false;
  }
}

element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  act(form.querySelector("button"), "You are logged in.", async () => {
    await login(form.email.value, form.password.value);
    form.reset();
    tabs.postMessage("changed");
  });
});
element("refresh").addEventListener("click", (event) => act(event.currentTarget, "The session is renewed.", refresh));
for (const [id, path, done] of [
  ["logout", "/auth/logout", "You are logged out."],
  ["logout-everywhere", "/auth/logout-all", "You are logged out on every device."],
]) {
  element(id).addEventListener("click", (event) =>
    act(event.currentTarget, done, async () => {
      await logout(path);
      tabs.postMessage("changed");
    }),
  );
}
tabs.addEventListener("message", () => show().catch(report));
show().catch(report);
