"""Deployments of bentos: what BentoML's clients ask for, as objects of the BentoDeployment kind, and back.

The objects are the truth, wherever they are kept (`Place`); the registry's tables add who made them, and what they
were before. Both of the clients' dialects are read and written here, so what one made the other sees.
"""
