"""WHAT is shipped: models by content, manifests by signature, and a loader that proves before it unpickles."""
