"""A page that shows which release and which replica answered."""

import os

from flask import Flask, render_template

app = Flask(__name__)

REPLICA = os.environ.get("PS") or os.environ.get("DYNO", "local.1")
RELEASE = os.environ.get("PAAS_RELEASE") or os.environ.get("HEROKU_RELEASE_VERSION", "v0")
GREETING = os.environ.get("GREETING", "Hello")


@app.get("/")
def home():
    return render_template("home.html", greeting=GREETING, release=RELEASE, replica=REPLICA)


@app.get("/health")
def health():
    return {"status": "ok", "release": RELEASE, "replica": REPLICA}
