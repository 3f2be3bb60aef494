"""For test authors: a pytest plugin that runs the stub and gives each test a world of its own.

pytest loads `plugin` wherever this distribution is installed, so it imports the rest of this
package only when a test uses its fixtures.
"""
