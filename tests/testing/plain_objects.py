"""Classes, a model and a loss that are plain objects: the protocols' methods, and no base class of the library."""

from __future__ import annotations

import numpy as np

import gradvar as gv


class TenLineParities:
    """All parities by the required methods only, and the covariance."""

    labels = "signs"

    def __init__(self, dim):
        self.inputs, self.log2_size = gv.Hypercube(dim), float(dim)

    def sample(self, m, rng):
        return rng.random((m, self.inputs.dim)) < 0.5

    def evaluate(self, members, x):
        return np.where(members[:, None, :], x, 1.0).prod(axis=2)

    def covariance(self, x, x2):
        equal = (x[:, None] == x2).all(axis=2)
        return equal - np.outer((x > 0).all(axis=1), (x2 > 0).all(axis=1)).astype(float)


class PlainParities(TenLineParities):
    """All parities with everything that a class may say."""

    is_orthonormal = True
    orthonormality = ("proved", "E chi_S chi_T = [S = T]")

    @property
    def size(self):
        return 2**self.inputs.dim

    def members(self):
        return (np.arange(self.size)[:, None] >> np.arange(self.inputs.dim)) & 1 == 1

    def mean(self, x):
        return (x > 0).all(axis=1).astype(float)

    def operator_norm(self, centred=True):
        return 1 / self.size

    def log2_operator_norm(self, centred=True):
        return -self.log2_size

    def project(self, f):
        n = self.inputs.n_points
        return self.evaluate(self.members(), self.inputs.points(0, n)) @ f / n

    def gram(self):
        return np.eye(self.size)

    def inner_products(self, members, members2):
        return (members[:, None] == members2).all(axis=2).astype(float)


class PlainTasks(TenLineParities):
    """Tasks that draw their own examples."""

    def draw(self, members, n, rng):
        x = self.inputs.sample(len(members) * n, rng).reshape(len(members), n, -1)
        return x, np.where(members[:, None, :], x, 1.0).prod(axis=2)


class PlainNeuron:
    """p(x) = tanh<w, x>, with parameters and factors."""

    def __init__(self, w):
        self.w = np.asarray(w, dtype=float)
        self.dim = self.n_parameters = self.w.size

    @property
    def parameters(self):
        return self.w

    def with_parameters(self, parameters):
        return type(self)(parameters)

    def predict(self, x):
        return np.tanh(x @ self.w)

    def gradient(self, x):
        return (1 - np.tanh(x @ self.w) ** 2)[:, None] * x

    def tangent_factors(self, x):
        return [(x, (1 - np.tanh(x @ self.w) ** 2)[:, None])]


class PlainLoss:
    """The logistic loss log(1 + exp(-y p))."""

    name, labels, lipschitz, constant = "plain logistic", "signs", 1.0, -0.5
    evidence = ("proved", "r is 1-Lipschitz")

    def derivative(self, margin):
        return -1 / (1 + np.exp(margin))

    def split(self, p):
        plus, minus = self.derivative(p), self.derivative(-p)
        return (plus - minus) / 2, (plus + minus) / 2

    def value(self, p, y):
        return np.logaddexp(0, -y * p)
