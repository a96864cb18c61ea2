"""What the demo's questions and its runner share: HTTP answers, progress bars, comparisons."""
