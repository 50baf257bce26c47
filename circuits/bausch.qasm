// bausch
OPENQASM 3.0;
include "stdgates.inc";
@qrnn.weight
input float[64] theta_0;
@qrnn.weight
input float[64] theta_1;
@qrnn.weight
input float[64] theta_2;
@qrnn.weight
input float[64] theta_3;
@qrnn.weight
input float[64] theta_4;
@qrnn.weight
input float[64] theta_5;
@qrnn.weight
input float[64] theta_6;
@qrnn.weight
input float[64] theta_7;
@qrnn.weight
input float[64] theta_8;
@qrnn.weight
input float[64] theta_9;
@qrnn.weight
input float[64] theta_10;
@qrnn.weight
input float[64] theta_11;
@qrnn.weight
input float[64] theta_12;
@qrnn.weight
input float[64] theta_13;
@qrnn.weight
input float[64] theta_14;
@qrnn.weight
input float[64] theta_15;
@qrnn.weight
input float[64] theta_16;
@qrnn.feature
input float[64] bit_0;
qubit[1] io;
qubit[2] hidden;
qubit[1] ancilla;
bit[1] readout;
@qrnn.postselect
bit[5] flags;
ry(pi*bit_0) io[0];
ry(pi/2 + 0.5*theta_0 + 0.5*theta_1 + theta_2) ancilla[0];
cx io[0], ancilla[0];
ry(-0.5*theta_0) ancilla[0];
cx io[0], ancilla[0];
cx hidden[1], ancilla[0];
ry(-0.5*theta_1) ancilla[0];
cx hidden[1], ancilla[0];
cy ancilla[0], hidden[0];
sdg ancilla[0];
ry(-pi/2 - 0.5*theta_0 - 0.5*theta_1 - theta_2) ancilla[0];
cx io[0], ancilla[0];
ry(0.5*theta_0) ancilla[0];
cx io[0], ancilla[0];
cx hidden[1], ancilla[0];
ry(0.5*theta_1) ancilla[0];
cx hidden[1], ancilla[0];
flags[0] = measure ancilla[0];
ry(pi/2 + 0.5*theta_3 + 0.5*theta_4 + theta_5) ancilla[0];
cx io[0], ancilla[0];
ry(-0.5*theta_3) ancilla[0];
cx io[0], ancilla[0];
cx hidden[0], ancilla[0];
ry(-0.5*theta_4) ancilla[0];
cx hidden[0], ancilla[0];
cy ancilla[0], hidden[1];
sdg ancilla[0];
ry(-pi/2 - 0.5*theta_3 - 0.5*theta_4 - theta_5) ancilla[0];
cx io[0], ancilla[0];
ry(0.5*theta_3) ancilla[0];
cx io[0], ancilla[0];
cx hidden[0], ancilla[0];
ry(0.5*theta_4) ancilla[0];
cx hidden[0], ancilla[0];
flags[1] = measure ancilla[0];
ry(theta_6) hidden[0];
ry(theta_7) hidden[1];
ry(pi/2 + theta_10 + 0.5*theta_8 + 0.5*theta_9) ancilla[0];
cx io[0], ancilla[0];
ry(-0.5*theta_8) ancilla[0];
cx io[0], ancilla[0];
cx hidden[1], ancilla[0];
ry(-0.5*theta_9) ancilla[0];
cx hidden[1], ancilla[0];
cy ancilla[0], hidden[0];
sdg ancilla[0];
ry(-pi/2 - theta_10 - 0.5*theta_8 - 0.5*theta_9) ancilla[0];
cx io[0], ancilla[0];
ry(0.5*theta_8) ancilla[0];
cx io[0], ancilla[0];
cx hidden[1], ancilla[0];
ry(0.5*theta_9) ancilla[0];
cx hidden[1], ancilla[0];
flags[2] = measure ancilla[0];
ry(pi/2 + 0.5*theta_11 + 0.5*theta_12 + theta_13) ancilla[0];
cx io[0], ancilla[0];
ry(-0.5*theta_11) ancilla[0];
cx io[0], ancilla[0];
cx hidden[0], ancilla[0];
ry(-0.5*theta_12) ancilla[0];
cx hidden[0], ancilla[0];
cy ancilla[0], hidden[1];
sdg ancilla[0];
ry(-pi/2 - 0.5*theta_11 - 0.5*theta_12 - theta_13) ancilla[0];
cx io[0], ancilla[0];
ry(0.5*theta_11) ancilla[0];
cx io[0], ancilla[0];
cx hidden[0], ancilla[0];
ry(0.5*theta_12) ancilla[0];
cx hidden[0], ancilla[0];
flags[3] = measure ancilla[0];
ry(-pi*bit_0) io[0];
ry(pi/2 + 0.5*theta_14 + 0.5*theta_15 + theta_16) ancilla[0];
cx hidden[0], ancilla[0];
ry(-0.5*theta_14) ancilla[0];
cx hidden[0], ancilla[0];
cx hidden[1], ancilla[0];
ry(-0.5*theta_15) ancilla[0];
cx hidden[1], ancilla[0];
cy ancilla[0], io[0];
sdg ancilla[0];
ry(-pi/2 - 0.5*theta_14 - 0.5*theta_15 - theta_16) ancilla[0];
cx hidden[0], ancilla[0];
ry(0.5*theta_14) ancilla[0];
cx hidden[0], ancilla[0];
cx hidden[1], ancilla[0];
ry(0.5*theta_15) ancilla[0];
cx hidden[1], ancilla[0];
flags[4] = measure ancilla[0];
readout[0] = measure io[0];
reset io[0];
