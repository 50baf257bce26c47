// reupload
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
@qrnn.weight
input float[64] theta_17;
@qrnn.weight
input float[64] theta_18;
@qrnn.weight
input float[64] theta_19;
@qrnn.weight
input float[64] theta_20;
@qrnn.weight
input float[64] theta_21;
@qrnn.weight
input float[64] theta_22;
@qrnn.weight
input float[64] theta_23;
@qrnn.weight
input float[64] theta_24;
@qrnn.weight
input float[64] theta_25;
@qrnn.weight
input float[64] theta_26;
@qrnn.weight
input float[64] theta_27;
@qrnn.weight
input float[64] theta_28;
@qrnn.weight
input float[64] theta_29;
@qrnn.weight
input float[64] theta_30;
@qrnn.feature
input float[64] x_0;
qubit[1] io;
qubit[2] hidden;
bit[1] readout;
ry(theta_0 + theta_1*x_0) io[0];
rz(theta_2) io[0];
ry(theta_3) io[0];
ry(theta_4) hidden[0];
rz(theta_5) hidden[0];
ry(theta_6) hidden[0];
ry(theta_7) hidden[1];
rz(theta_8) hidden[1];
ry(theta_9) hidden[1];
cz hidden[0], io[0];
cz io[0], hidden[1];
ry(theta_10 + theta_11*x_0) io[0];
rz(theta_12) io[0];
ry(theta_13) io[0];
ry(theta_14) hidden[0];
rz(theta_15) hidden[0];
ry(theta_16) hidden[0];
ry(theta_17) hidden[1];
rz(theta_18) hidden[1];
ry(theta_19) hidden[1];
cz hidden[0], io[0];
cz io[0], hidden[1];
ry(theta_20 + theta_21*x_0) io[0];
rz(theta_22) io[0];
ry(theta_23) io[0];
ry(theta_24) hidden[0];
rz(theta_25) hidden[0];
ry(theta_26) hidden[0];
ry(theta_27) hidden[1];
rz(theta_28) hidden[1];
ry(theta_29) hidden[1];
cz hidden[0], io[0];
cz io[0], hidden[1];
ry(theta_30) io[0];
readout[0] = measure io[0];
reset io[0];
