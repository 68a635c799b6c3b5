"""A local replica of the General Assembly's site, driven by facts."""
