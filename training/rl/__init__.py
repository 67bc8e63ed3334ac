"""Reinforcement learning with verifiable rewards: rollouts from running servers, one small loop.

PPO and GRPO differ by how a token's advantage is found (`advantages.py`), and by nothing else.
"""
