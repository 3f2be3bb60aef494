"""For test authors: a pytest plugin that runs the stub and gives each test a world of its own.

pytest loads `plugin` wherever this distribution is installed, so nothing here is imported before
a test asks for it.
"""
