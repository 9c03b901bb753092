"""The SAM2-Lite family: Tiny, Small and Base."""
