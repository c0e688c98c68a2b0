"""Export of DeepDream gradients (Mordvintsev, Olah and Tyka, "Inceptionism", 2015)."""
