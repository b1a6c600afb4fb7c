"""A project to look at: a service with faults, a review that names them, agents that mend them, places to ship to.

``manage.py demo`` loads it, ``manage.py demo --remove`` takes it away. Its
parts are the product's own: nothing in the portal knows that it is a demo.
"""
