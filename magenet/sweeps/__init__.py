"""Sweeps over hyperparameters: files in W&B's format, run by Optuna without an account."""
